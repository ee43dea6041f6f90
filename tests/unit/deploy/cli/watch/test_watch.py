"""What `watch` says to whoever has no terminal, and when nothing happens."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from contracts.client import ExecutionEvent, Unreachable
from deploy.cli.execute import Status
from deploy.cli.watch import follow, live
from deploy.cli.watch.progress import Row, RunProgress, State
from deploy.terminal import Terminal

if TYPE_CHECKING:
    from tests.conftest import Eventually


class System:
    """As much of a client as is needed to see whether the system is ready."""

    def __init__(self, *problems: str) -> None:
        self.problems = dict.fromkeys(problems, "start one")
        self.gone = False
        self.asked = 0

    async def ready(self) -> SimpleNamespace:
        self.asked += 1
        if self.gone:
            raise Unreachable("nobody is there")
        return SimpleNamespace(problems=self.problems)


@pytest.fixture
def board() -> RunProgress:
    board = RunProgress("dag-exec_1", "Look\nand think", "pending")
    board.rows = {"001": Row("001", "Look", "readFile")}
    return board


async def first_words(system: System, board: RunProgress, eventually: Eventually) -> str:
    """What is said when nothing happens for long."""
    said: list[str] = []
    async with live._explained(system, board, said.append):  # type: ignore[arg-type]
        await eventually(lambda: said)
    return said[0]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "QUIET_S", 0.01)


@pytest.mark.parametrize(
    ("system", "reason"),
    [
        (System("executor", "llm"), "start one"),
        (System("llm"), "the run is pending, but no step is running"),
    ],
)
async def test_when_nothing_happens_it_says_why(
    board: RunProgress, eventually: Eventually, system: System, reason: str
) -> None:
    said = await first_words(system, board, eventually)
    assert said.startswith("nothing has happened for 0.01 s: " + reason)
    assert "llm" not in said


async def test_a_system_that_cannot_be_reached_is_a_reason_too(
    board: RunProgress, eventually: Eventually
) -> None:
    system = System()
    system.gone = True
    assert "nobody is there" in await first_words(system, board, eventually)


async def test_a_step_may_take_its_time_and_a_reason_is_told_once(
    board: RunProgress, eventually: Eventually
) -> None:
    system, said = System(), list[str]()
    board.rows["001"].state = State.RUNNING
    async with live._explained(system, board, said.append):  # type: ignore[arg-type]
        await eventually(lambda: system.asked >= 2)
        assert said == []
        board.rows["001"].state = State.WAITING
        await eventually(lambda: said)
        seen = system.asked
        await eventually(lambda: system.asked >= seen + 2)
        assert len(said) == 1
        board.news += 1
        await eventually(lambda: len(said) == 2)
    assert said[0] == said[1]


async def test_without_a_terminal_each_event_is_one_line(board: RunProgress) -> None:
    lines = io.StringIO()
    async with live._shown(board, Terminal(file=lines, width=20)) as note:
        note("12:00:00  1 thinks: first this,\n  then that")
    assert lines.getvalue().splitlines() == [
        "dag-exec_1: Look and think",
        "001 is waiting: Look",
        "12:00:00  1 thinks: first this, then that",
    ]


async def test_for_machines_there_are_places_in_the_log_and_no_heartbeats(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [
        ("heartbeat", None),
        ("substep.started", 4),
        ("tool.progress", None),
        ("execution.completed", 5),
    ]

    class Client:
        def __init__(self, _: str, on_answer: Any) -> None:
            self._on_answer = on_answer
            self.executions = self

        async def __aenter__(self) -> Client:
            return self

        async def __aexit__(self, *_: object) -> None: ...

        async def events(self, id_: str) -> AsyncGenerator[ExecutionEvent]:
            for kind, seq in told:
                event = {"type": kind, "executionId": id_, "timestamp": 1, "new": "kept"}
                self._on_answer(orjson.dumps(event))
                yield ExecutionEvent.model_validate({**event, "seq": seq})

    monkeypatch.setattr(follow, "Client", Client)
    assert await follow.watched("http://x", "dag-exec_1", as_json=True) is Status.DONE
    printed = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["type"], one["seq"], one["new"]) for one in printed] == [
        (kind, seq, "kept") for kind, seq in told[1:]
    ]
