"""What a terminal shows of a run of a goal, from its events."""

from __future__ import annotations

import io
from typing import Any

import pytest

from contracts.api.goals import GoalRow
from contracts.api.runs import RunRow
from contracts.client import RunEvent
from deploy.cli.watch.live import show_end, table_of
from deploy.cli.watch.progress import RunProgress
from deploy.cli.watch.steps import State
from deploy.terminal import Terminal


def run(**changes: Any) -> RunRow:
    """One that was looked at after its third commit."""
    goal = {**dict.fromkeys(GoalRow.model_fields), "id": "goal_1", "objective": "Keep the books in order"}
    goal |= {"params": {}, "webhook_events": ["ended"], "status": "active", "created_at": 0, "updated_at": 0}
    return RunRow.model_validate(
        {
            **dict.fromkeys(RunRow.model_fields),
            **dict.fromkeys(("step_budget", "steps_executed", "failed_calls", "retry_count"), 0),
            "approvals": [],
            **dict.fromkeys(("created_at", "updated_at"), 0),
            "id": "run_1",
            "goal_id": "goal_1",
            "status": "running",
            "working_memory": {},
            "strategy": "agent",
            "trigger": "api",
            "remarks": [],
            "seq": 3,
            "goal": goal,
            **changes,
        }
    )


def event(kind: str, **fields: Any) -> RunEvent:
    return RunEvent.model_validate({"type": kind, "runId": "run_1", "timestamp": 1000, **fields})


def test_a_turn_shows_what_the_agent_thinks_and_calls() -> None:
    progress = RunProgress.of_goal_run(run())
    progress.take(event("step.started", stepNo=1, attempt=1))
    assert progress.take(event("step.thought", stepNo=1, thought="Look first.")) == "1 thinks: Look first."
    progress.take(event("call.started", stepNo=1, toolName="readFile"))
    row = progress.rows["1"]
    assert (row.what, row.who, row.state) == ("Look first.", "readFile", State.RUNNING)
    assert progress.take(event("step.completed", stepNo=1, timestamp=2500)) == "1 done in 1.5 s"
    assert (row.state, row.took_ms, progress.done) == (State.DONE, 1500, 1)


def test_the_answer_of_an_agent_is_shown_once_at_the_end() -> None:
    progress = RunProgress.of_goal_run(run())
    progress.take(event("step.started", stepNo=2, attempt=1))
    assert (
        progress.take(event("step.thought", stepNo=2, thought="All is\nin order.", calls=[])) == "2 answers"
    )
    progress.take(event("run.completed", summary="All is\nin order."))
    assert (progress.rows["2"].what, progress.report) == ("the answer below", "All is\nin order.")


def test_a_run_ends_with_its_summary() -> None:
    progress = RunProgress.of_goal_run(run())
    progress.take(event("run.created"))
    progress.take(event("run.updated", status="completed"))
    assert not progress.is_over
    assert progress.take(event("run.completed", summary="In order.", timestamp=3000)) == "completed in 2.0 s"
    assert (progress.is_completed, progress.report, progress.problem) == (True, "In order.", None)


@pytest.mark.parametrize("seq", [3, 4, None])
def test_a_run_that_ended_badly_says_why(seq: int | None) -> None:
    progress = RunProgress.of_goal_run(run())
    progress.take(event("step.started", stepNo=1))
    assert progress.take(event("run.failed", seq=seq, error="no model answers")) == "failed: no model answers"
    assert (progress.is_over, progress.is_completed, progress.problem) == (True, False, "no model answers")
    assert progress.rows["1"].state is State.WAITING


def test_a_run_that_completed_without_doing_all_it_was_told_says_so() -> None:
    progress = RunProgress.of_goal_run(run())
    progress.take(event("run.created"))

    said = progress.take(event("run.completed", outcomeReason="budget_exhausted", timestamp=3000))

    assert said == "completed in 2.0 s, but its turns were used up before the agent was done"
    assert (progress.is_completed, progress.problem) == (
        True,
        "its turns were used up before the agent was done",
    )


def test_a_suspension_before_the_first_event_is_not_the_current_status() -> None:
    """Somebody has resumed it since, so there is more to come."""
    progress = RunProgress.of_goal_run(run())
    progress.take(event("run.suspended", seq=2, reason="a step failed"))
    progress.take(event("run.resumed", seq=3))
    assert (progress.is_over, progress.status) == (False, "pending")


def test_a_question_comes_with_the_way_to_answer_it() -> None:
    progress = RunProgress.of_goal_run(run())
    line = progress.take(event("run.asks", dagId="dag-1", question="Which farm?"))
    assert line == "Which farm? Answer with: async-agent dags clarify dag-1 …"
    assert not progress.is_over


def test_an_event_of_a_newer_server_is_ignored() -> None:
    assert RunProgress.of_goal_run(run()).take(event("run.danced")) is None


def test_a_completed_run_with_failed_calls_is_amber_and_says_which() -> None:
    progress = RunProgress.of_goal_run(run())
    refused = {"position": 0, "toolName": "sendEmail", "error": "not allowed"}
    progress.take(event("step.started", stepNo=1, attempt=1))
    progress.take(event("step.thought", stepNo=1, thought="I send it.", calls=[refused]))
    progress.take(event("step.completed", stepNo=1, error="not allowed"))
    progress.take(event("step.started", stepNo=2, attempt=1))
    progress.take(
        event("step.thought", stepNo=2, thought="I write it.", calls=[{"position": 0, "error": None}])
    )
    progress.take(event("call.failed", stepNo=2, toolName="writeFile", error="disk full"))
    progress.take(event("step.completed", stepNo=2))
    progress.take(event("run.completed", summary="Done."))

    drawn, said = (Terminal(file=io.StringIO(), record=True, width=120) for _ in range(2))
    drawn.print(table_of(progress, 0))
    show_end(progress, said, Terminal(quiet=True))

    assert [row.state for row in progress.rows.values()] == [State.TROUBLED, State.TROUBLED]
    assert "\x1b[33m✔" in drawn.export_text(styles=True)
    assert str(table_of(progress, 0).caption).endswith("2 of 2 steps done, 2 tool calls failed")
    assert said.export_text() == (
        "completed in 1.0 s, but 2 tool calls failed, the last one: writeFile: disk full\n"
    )


def test_the_turns_that_a_fork_inherits_are_done() -> None:
    progress = RunProgress.of_goal_run(run())
    line = progress.take(event("run.inherited", seq=4, forkedFrom="run_0", inheritedSteps=["1", "2"]))
    assert line == "inherits 2 steps of run_0"
    assert [(row.id, row.state) for row in progress.rows.values()] == [
        ("1", State.INHERITED),
        ("2", State.INHERITED),
    ]
    assert progress.done == 2
