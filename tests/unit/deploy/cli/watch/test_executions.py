"""What a terminal shows of an execution, from how it stood and what happened since."""

from __future__ import annotations

import io
from typing import Any

import pytest

from contracts.api.executions import ExecutionDetail, SubStepRow
from contracts.client import ExecutionEvent
from deploy.cli.watch.live import show_end, table_of
from deploy.cli.watch.progress import RunProgress
from deploy.cli.watch.steps import REPORT, State, seconds
from deploy.terminal import Terminal


def execution(**changes: Any) -> ExecutionDetail:
    """One with two steps and the report, the first step in progress."""
    return ExecutionDetail.model_validate(
        {
            **dict.fromkeys(ExecutionDetail.model_fields),
            **dict.fromkeys(("completed_tasks", "failed_tasks", "waiting_tasks", "retry_count"), 0),
            "approvals": [],
            **dict.fromkeys(("created_at", "updated_at"), 0),
            "id": "dag-exec_1",
            "dag_id": "dag-1",
            "original_request": "Look and think",
            "primary_intent": "look",
            "trigger": "api",
            "status": "running",
            "total_tasks": 2,
            "seq": 5,
            "sub_steps": [
                step(task_id="001", description="Look", status="running", attempt=1),
                step(task_id="002", description="Think"),
                step(task_id="__SYNTHESIS__", description="…"),
            ],
            **changes,
        }
    )


def step(**fields: Any) -> SubStepRow:
    return SubStepRow.model_validate(
        {
            **dict.fromkeys(SubStepRow.model_fields),
            **dict.fromkeys(("attempt", "created_at", "updated_at"), 0),
            **dict.fromkeys(("id", "execution_id", "thought"), ""),
            "action_type": "tool",
            "tool_or_prompt_name": "readFile",
            "tool_or_prompt_params": {},
            "dependencies": [],
            "status": "pending",
            **fields,
        }
    )


def event(kind: str, **fields: Any) -> ExecutionEvent:
    return ExecutionEvent.model_validate(
        {"type": kind, "executionId": "dag-exec_1", "timestamp": 1000, **fields}
    )


def test_the_report_is_a_step_with_a_name_for_people() -> None:
    progress = RunProgress.of_execution(execution())
    progress.take(event("substep.completed", subStepId="001", durationMs=1500))
    assert progress.rows[REPORT].state is State.WAITING
    progress.take(event("substep.started", subStepId="002"))
    progress.take(event("substep.completed", subStepId="002", durationMs=10, timestamp=2000))
    progress.take(event("substep.started", subStepId="__SYNTHESIS__", timestamp=3000))
    assert (progress.rows[REPORT].state, progress.rows[REPORT].since_ms) == (State.RUNNING, 3000)
    progress.take(event("substep.completed", subStepId="__SYNTHESIS__", durationMs=2000, timestamp=5000))
    progress.take(event("execution.completed", finalResult="All is well.", durationMs=4000, timestamp=5000))
    assert (progress.is_completed, progress.is_over, progress.report, progress.done) == (
        True,
        True,
        "All is well.",
        3,
    )
    assert progress.rows[REPORT].took_ms == 2000


def test_a_step_that_is_started_again_says_so() -> None:
    progress = RunProgress.of_execution(execution())
    assert progress.take(event("substep.started", subStepId="001", description="Look")) == (
        "001 started again (start 2): Look"
    )
    assert "(start 2)" in drawn(progress)


def test_a_suspended_execution_is_over_until_it_is_resumed() -> None:
    progress = RunProgress.of_execution(execution())
    progress.take(event("substep.failed", subStepId="001", error="no such file"))
    progress.take(event("execution.suspended", reason="step 001 failed: no such file"))
    assert (progress.is_over, progress.problem) == (True, "step 001 failed: no such file")
    assert progress.rows["001"].state is State.FAILED
    progress.take(event("execution.resumed"))
    assert (progress.is_over, progress.problem, progress.rows["001"].state) == (False, None, State.WAITING)


@pytest.mark.parametrize(
    ("kind", "state"), [("substep.retrying", State.RETRYING), ("substep.failed", State.FAILED)]
)
def test_an_error_stands_beside_its_step(kind: str, state: State) -> None:
    progress = RunProgress.of_execution(execution())
    progress.take(event(kind, subStepId="001", error="connection [refused]"))
    assert progress.rows["001"].state is state
    assert "connection [refused]" in drawn(progress)


def test_progress_of_a_tool_stands_beside_its_step_until_the_step_is_done() -> None:
    progress = RunProgress.of_execution(execution())
    assert progress.take(event("tool.progress", subStepId="001", message="fetching page 2")) is None
    assert "fetching page 2" in drawn(progress)
    progress.take(event("substep.completed", subStepId="001", durationMs=1))
    assert "fetching page 2" not in drawn(progress)


def test_an_event_of_a_newer_server_is_ignored() -> None:
    progress = RunProgress.of_execution(execution())
    assert progress.take(event("execution.danced")) is None
    assert not progress.is_over


def test_a_file_gets_the_report_as_it_is() -> None:
    """Markdown is for programs, what is drawn for people."""
    output = Terminal(file=io.StringIO(), width=20, force_terminal=False)
    progress = RunProgress.of_execution(
        execution(status="completed", final_result="# A title longer than that\n\n[not] *markup*")
    )
    show_end(progress, Terminal(quiet=True), output)
    assert isinstance(output.file, io.StringIO)
    assert output.file.getvalue() == "# A title longer than that\n\n[not] *markup*\n"


@pytest.mark.parametrize(
    ("ms", "text"), [(None, "?"), (12, "12 ms"), (1500, "1.5 s"), (59_940, "59.9 s"), (125_000, "2 min 5 s")]
)
def test_durations_are_shown_in_readable_units(ms: int | None, text: str) -> None:
    assert seconds(ms) == text


def drawn(progress: RunProgress) -> str:
    """The table as text."""
    console = Terminal(width=120)
    with console.capture() as capture:
        console.print(table_of(progress, 2000))
    return capture.get()


def test_an_answer_that_was_cut_short_says_so_beside_its_step() -> None:
    progress = RunProgress.of_execution(execution())
    line = progress.take(event("substep.completed", subStepId="002", durationMs=1, finishReason="length"))
    assert line == "002 done in 1 ms; its answer was cut short by max_tokens (see DEFAULT_MAX_TOKENS)"
    assert "cut short by max_tokens" in drawn(progress)
