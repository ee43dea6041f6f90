"""What `watch` says to whoever has no terminal, and when nothing happens."""

from __future__ import annotations

import io
import time
from collections.abc import AsyncGenerator, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from contracts.client import ExecutionEvent, Unreachable
from contracts.core.ids import new_id
from deploy.cli.execute import Status
from deploy.cli.watch import follow, live, quiet
from deploy.cli.watch.progress import RunProgress
from deploy.cli.watch.steps import Row, State
from deploy.terminal import Terminal
from tests.unit.deploy.cli.watch.test_executions import event, execution

if TYPE_CHECKING:
    from contracts.api.executions import ExecutionDetail
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
def progress() -> RunProgress:
    progress = RunProgress("dag-exec_1", "Look\nand think", "pending")
    progress.rows = {"001": Row("001", "Look", "readFile")}
    return progress


async def first_words(system: System, progress: RunProgress, eventually: Eventually) -> str:
    """What is said when nothing happens for long."""
    said: list[str] = []
    async with quiet.explained(system, progress, said.append):  # type: ignore[arg-type]
        await eventually(lambda: said)
    return said[0]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "LOOK_S", 0.001)
    monkeypatch.setattr(quiet, "QUIET_S", 0.002)


@pytest.mark.parametrize(
    ("system", "reason"),
    [
        (System("executor", "llm"), "start one"),
        (System("llm"), "nothing has happened for 0.002 s: the run is pending, but no step is running"),
    ],
)
async def test_when_nothing_happens_it_says_why(
    progress: RunProgress, eventually: Eventually, system: System, reason: str
) -> None:
    said = await first_words(system, progress, eventually)
    assert said.startswith(reason)
    assert "llm" not in said


async def test_a_system_that_cannot_be_reached_is_a_reason_too(
    progress: RunProgress, eventually: Eventually
) -> None:
    system = System()
    system.gone = True
    assert "nobody is there" in await first_words(system, progress, eventually)


async def test_a_step_may_take_its_time_and_a_reason_is_told_once(
    progress: RunProgress, eventually: Eventually
) -> None:
    system, said = System(), list[str]()
    progress.rows["001"].state = State.RUNNING
    async with quiet.explained(system, progress, said.append):  # type: ignore[arg-type]
        await eventually(lambda: system.asked >= 2)
        assert said == []
        progress.rows["001"].state = State.WAITING
        await eventually(lambda: said)
        seen = system.asked
        await eventually(lambda: system.asked >= seen + 2)
        assert len(said) == 1
        progress.news += 1
        await eventually(lambda: len(said) == 2)
    assert said[0] == said[1]


async def test_a_missing_executor_is_told_before_the_run_counts_as_quiet(
    progress: RunProgress, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "QUIET_S", 3600)
    assert await first_words(System("executor", "llm"), progress, eventually) == "start one"


@pytest.mark.parametrize(("problem", "line"), [(None, "failed\n"), ("no model", "failed: no model\n")])
def test_the_reason_of_a_failure_is_printed_once(
    progress: RunProgress, problem: str | None, line: str
) -> None:
    progress.status, progress.problem = "failed", problem
    notes = Terminal(file=io.StringIO(), width=100)
    live.show_end(progress, notes, Terminal(file=io.StringIO()))
    assert isinstance(notes.file, io.StringIO)
    assert notes.file.getvalue() == line


class Stream:
    """A client whose stream has the given events of an execution that was pending."""

    def __init__(self, *events: ExecutionEvent) -> None:
        self._events = events
        self.executions = self

    async def get(self, _: str) -> ExecutionDetail:
        return execution(status="pending")

    async def events(self, _: str, after: int) -> AsyncGenerator[ExecutionEvent]:
        for one in self._events:
            yield one


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("tokyo")
async def test_without_a_terminal_times_have_a_zone_and_a_failure_is_told_once() -> None:
    client = Stream(
        event("substep.started", subStepId="001"), event("execution.failed", error="no model answers")
    )
    notes = Terminal(file=io.StringIO(), width=100)
    progress = await live.watch(client, "dag-exec_1", notes)  # type: ignore[arg-type]
    live.show_end(progress, notes, Terminal(quiet=True))
    assert isinstance(notes.file, io.StringIO)
    *_, started, failed = notes.file.getvalue().splitlines()
    assert started.startswith("09:00:01 JST  001 started")
    assert failed == "failed: no model answers"
    assert notes.file.getvalue().count("no model answers") == 1


@pytest.mark.parametrize("what", ["Look", "Compare all the prices of the year, shop by shop"])
@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_table_of_steps_shows_ids_whole_at_every_width(
    progress: RunProgress, width: int, what: str
) -> None:
    progress.id = new_id("dag-exec_")
    progress.rows["step-of-the-plan"] = Row("step-of-the-plan", what, "webSearch")
    terminal = Terminal(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    terminal.print(live.table_of(progress, 0))
    assert isinstance(terminal.file, io.StringIO)
    shown = terminal.file.getvalue()
    assert progress.id in shown
    assert "step-of-the-plan" in shown
    assert max(map(len, shown.splitlines())) <= width


async def test_without_a_terminal_each_event_is_one_line(progress: RunProgress) -> None:
    lines = io.StringIO()
    async with live._live_table(progress, Terminal(file=lines, width=20)) as note:
        note("12:00:00  1 thinks: first this,\n  then that")
    assert lines.getvalue().splitlines() == [
        "dag-exec_1: Look and think",
        "001 is waiting: Look",
        "12:00:00  1 thinks: first this, then that",
    ]


@pytest.mark.parametrize("on_terminal", [False, True])
async def test_for_machines_there_are_places_in_the_log_and_no_heartbeats(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], on_terminal: bool
) -> None:
    """On a terminal, what would control it is escaped, which is the same JSON."""
    monkeypatch.setenv("TTY_COMPATIBLE", str(int(on_terminal)))
    told = [
        ("heartbeat", None),
        ("substep.started", 4),
        ("tool.progress", None),
        ("execution.completed", 5),
    ]

    class Client:
        def __init__(self, _: str, *, api_key: str | None, on_answer: Any) -> None:
            self._on_answer = on_answer
            self.executions = self

        async def __aenter__(self) -> Client:
            return self

        async def __aexit__(self, *_: object) -> None: ...

        async def events(self, id_: str) -> AsyncGenerator[ExecutionEvent]:
            for kind, seq in told:
                event = {"type": kind, "executionId": id_, "timestamp": 1, "new": "\x9b31m kept"}
                self._on_answer(orjson.dumps(event))
                yield ExecutionEvent.model_validate({**event, "seq": seq})

    monkeypatch.setattr(follow, "Client", Client)
    assert await follow.watched("http://x", None, "dag-exec_1", as_json=True) is Status.DONE
    output = capsys.readouterr().out
    assert ("\x9b" in output) is not on_terminal
    printed = [orjson.loads(line) for line in output.split("\n")[:-1]]
    assert [(one["type"], one["seq"], one["new"]) for one in printed] == [
        (kind, seq, "\x9b31m kept") for kind, seq in told[1:]
    ]
