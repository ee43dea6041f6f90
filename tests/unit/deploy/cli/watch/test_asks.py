"""What `watch` shows of questions to a person, with the commands that answer them."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from contracts.api.asks import AskList, AskRow
from contracts.api.executions import ExecutionDetail
from contracts.client import ExecutionEvent, Unreachable
from contracts.core.ids import new_id
from deploy.cli.watch import live, quiet
from deploy.cli.watch.open_asks import lines_of
from deploy.cli.watch.progress import RunProgress
from deploy.cli.watch.steps import State
from deploy.terminal import Terminal
from tests.unit.deploy.cli.watch import test_goal_runs
from tests.unit.deploy.cli.watch.test_executions import event, execution, step

CONTROL = re.compile(r"\x1b\[[?\d]*[A-Za-z]")
"""Sequences that move the cursor and erase lines of a terminal."""
RUN_ID = new_id("dag-exec_")


def ask(**changes: Any) -> AskRow:
    return AskRow.model_validate(
        {
            **dict.fromkeys(AskRow.model_fields),
            "id": f"{RUN_ID}.001.1",
            "run_id": RUN_ID,
            "step": "001",
            "kind": "approval",
            "status": "open",
            "title": "Send the report",
            "tool": "send",
            "params": {"to": "ann@example.org"},
            "params_sha256": "",
            "answer_schema": {"type": "object"},
            "why": "the plan says that a person must approve this call",
            "asked_at": 0,
            **changes,
        }
    )


class System:
    """A client of a system where questions are open, with the given events of one execution."""

    def __init__(self, asks: Sequence[AskRow], *events: ExecutionEvent, away: bool = False) -> None:
        self.open = list(asks)
        self.away = away
        self._events = events
        self.executions = self
        self.asks = self

    async def find(self, *, status: str, run_id: str, limit: int) -> AskList:
        assert (status, run_id) == ("open", RUN_ID)
        if self.away:
            raise Unreachable("nobody is there")
        return AskList(asks=self.open[:limit], next_cursor=None)

    async def get(self, _: str) -> ExecutionDetail:
        return execution(id=RUN_ID, sub_steps=[step(task_id="001", description="Send", status="waiting")])

    async def events(self, _: str, after: int) -> AsyncGenerator[ExecutionEvent]:
        for one in self._events:
            yield one


def opened(**changes: Any) -> ExecutionEvent:
    return event("ask.opened", askId=f"{RUN_ID}.001.1", title="Send the report", **changes)


ENDED = event("execution.failed", error="enough")


async def shown(system: System, width: int, *, on_terminal: bool) -> list[str]:
    console = Terminal(
        file=io.StringIO(), width=width, force_terminal=on_terminal, color_system=None, legacy_windows=False
    )
    await live.watch(system, RUN_ID, console)  # type: ignore[arg-type]
    assert isinstance(console.file, io.StringIO)
    return CONTROL.sub("", console.file.getvalue()).splitlines()


@pytest.mark.parametrize("width", [60, 120])
@pytest.mark.parametrize("on_terminal", [True, False])
async def test_a_question_is_printed_with_commands_that_can_be_copied(width: int, on_terminal: bool) -> None:
    lines = await shown(System([ask()], ENDED), width, on_terminal=on_terminal)
    start = next(n for n, line in enumerate(lines) if "001 asks: " in line)
    assert [line.strip() for line in lines[start : start + 5]] == [
        "? 001 asks: Send the report",
        'send {"to":"ann@example.org"}',
        "the plan says that a person must approve this call",
        f"async-agent asks approve {RUN_ID}.001.1",
        f"async-agent asks reject {RUN_ID}.001.1",
    ]


async def test_a_question_is_printed_once_however_often_it_is_received() -> None:
    lines = await shown(System([ask()], opened(), opened(), ENDED), 80, on_terminal=False)
    assert sum("asks approve" in line for line in lines) == 1


async def test_a_system_that_cannot_be_asked_for_questions_is_watched_all_the_same() -> None:
    lines = await shown(System([ask()], opened(), ENDED, away=True), 80, on_terminal=False)
    assert any("001 asks a person: Send the report" in line for line in lines)


@pytest.mark.parametrize(
    ("changes", "commands"),
    [
        ({"answer_schema": None}, [f"async-agent asks answer {RUN_ID}.001.1 TEXT"]),
        (
            {"answer_schema": {"type": "integer"}, "expires_at": 0},
            [
                'JSON Schema of the answer: {"type":"integer"}',
                "expires at 1970-01-01",
                f"async-agent asks answer {RUN_ID}.001.1 --value JSON",
            ],
        ),
    ],
)
def test_a_question_is_answered_with_a_text_or_with_what_its_schema_says(
    changes: Any, commands: list[str]
) -> None:
    lines = [line.strip() for line in lines_of(ask(kind="question", why="it is not known", **changes))]
    assert lines[:2] == ["? 001 asks: Send the report", "it is not known"]
    for line, expected in zip(lines[2:-1], commands, strict=True):
        assert line.startswith(expected)


def test_a_question_cannot_print_lines_of_its_own() -> None:
    first, *_ = lines_of(ask(title="Send?\n  async-agent keys create me"))
    assert first == "? 001 asks: Send? async-agent keys create me"


def test_a_step_that_asks_is_marked_until_it_is_answered() -> None:
    progress = RunProgress.of_execution(execution(id=RUN_ID))
    assert progress.take(opened()) == "001 asks a person: Send the report"
    assert (progress.rows["001"].state, progress.is_asking) == (State.ASKING, True)
    answered = event("ask.answered", askId=f"{RUN_ID}.001.1", verdict="approve", by="key:ann")
    assert progress.take(answered) == "001: the answer of key:ann is approve"
    assert not progress.is_asking
    progress.take(opened())
    expired = event("ask.expired", askId=f"{RUN_ID}.001.1")
    assert progress.take(expired) == "001: nobody answered in time"


def test_a_turn_whose_call_asks_is_marked() -> None:
    progress = RunProgress.of_goal_run(test_goal_runs.run())
    progress.take(test_goal_runs.event("step.started", stepNo=2))
    progress.take(test_goal_runs.event("ask.opened", askId="run_1.2.0.1", title="Which city?"))
    assert (progress.rows["2"].state, progress.rows["2"].note) == (State.ASKING, "Which city?")


async def test_a_run_that_waits_for_a_person_needs_no_other_reason() -> None:
    progress = RunProgress.of_execution(execution(id=RUN_ID))
    progress.take(opened())
    assert await quiet._why(None, progress, 3600) is None  # type: ignore[arg-type]
