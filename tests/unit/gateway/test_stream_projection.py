"""A run's commits as the events that clients see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.core.commit import Commit, Recorded
from contracts.core.event import Event
from contracts.domain import dag, run
from contracts.domain.plan import Job
from contracts.domain.run.steps import SYNTHESIS
from contracts.domain.run_requests import plan_id
from gateway.api.executions.dialect import EXECUTIONS, name_step
from gateway.streams.projection import StreamProjection
from tests import jobs

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
AT = int(NOW.timestamp() * 1000)


def job(*ids: str) -> Job:
    return jobs.job(*map(jobs.task, ids))


REQUESTED = run.Requested(dag_id="d", original_request="do it", job=job("001", "b"))
STARTED = run.Started(executor="e", at=NOW, synthesis="merge")


class Story:
    """A run told commit by commit."""

    def __init__(self) -> None:
        self.projection = StreamProjection("e1", EXECUTIONS)
        self.seq = 0
        self.versions = {"run": 0, "dag": 0}

    def tell(self, *events: Event) -> list[dict[str, Any]]:
        """What one commit is told as, without what all events have."""
        recorded = self.next(*events)
        assert self.projection.follows(recorded)
        self.versions[recorded.commit.aggregate] = recorded.commit.last_version
        self.seq = recorded.seq
        told = self.projection.apply(recorded)
        assert all(one["executionId"] == "e1" and one["timestamp"] == AT for one in told)
        return [{key: one[key] for key in one if key not in {"executionId", "timestamp"}} for one in told]

    def next(self, *events: Event) -> Recorded:
        """The next commit of the run, or of the plan that it is made of."""
        aggregate = events[0].type.partition(".")[0]
        commit = Commit(
            id="c",
            aggregate=aggregate,
            aggregate_id="e1" if aggregate == "run" else plan_id("e1"),
            state="",
            version=self.versions[aggregate] + 1,
            time=NOW,
            source="/test/1",
            events=events,
            correlation_id="c",
        )
        return Recorded(self.seq + 10 * len(events), commit)


def test_the_first_start_of_a_run_is_sent_as_started() -> None:
    story = Story()

    assert story.tell(REQUESTED) == [
        {"type": "execution.created", "totalTasks": 2, "originalRequest": "do it"}
    ]
    assert story.tell(STARTED, run.StepsStarted(steps=("001", "b"))) == [
        {"type": "execution.started", "totalTasks": 2, "originalRequest": "do it"},
        {"type": "substep.started", "subStepId": "001", "taskId": 1, "description": "do 001"},
        {"type": "substep.started", "subStepId": "b", "taskId": "b", "description": "do b"},
    ]
    assert story.projection.seq == 30


def test_outcomes_of_steps_are_followed_by_the_counters_once_per_commit() -> None:
    story = Story()
    story.tell(REQUESTED)
    story.tell(STARTED, run.StepsStarted(steps=("001", "b")))

    told = story.tell(
        run.StepCompleted(step="001", result={"n": 1}, duration_ms=5),
        run.StepFailed(step="b", attempt=1, error="no"),
    )

    assert told == [
        {"type": "substep.completed", "subStepId": "001", "taskId": 1, "durationMs": 5, "result": {"n": 1}},
        {"type": "substep.failed", "subStepId": "b", "taskId": "b", "error": "no"},
        {
            "type": "execution.updated",
            "status": "running",
            "completedTasks": 1,
            "failedTasks": 1,
            "waitingTasks": 0,
        },
    ]


def test_a_step_that_will_be_retried_waits_until_it_is() -> None:
    story = Story()
    story.tell(REQUESTED)
    story.tell(STARTED, run.StepsStarted(steps=("001",)))

    retry_at = NOW + timedelta(seconds=2)
    retrying, updated = story.tell(run.StepFailed(step="001", attempt=1, error="busy", retry_at=retry_at))

    assert retrying == {
        "type": "substep.retrying",
        "subStepId": "001",
        "taskId": 1,
        "attempt": 1,
        "error": "busy",
        "retryAt": AT + 2000,
    }
    assert (updated["failedTasks"], updated["waitingTasks"]) == (0, 1)
    story.tell(run.StepsStarted(steps=("001",), retried=("001",)))
    assert story.projection.status_event == {"status": "running", "completed": 0, "failed": 0, "waiting": 0}


THE_SYNTHESIS = {"subStepId": SYNTHESIS, "taskId": SYNTHESIS}


def test_the_synthesis_is_sent_as_a_step_that_does_not_count() -> None:
    story = Story()
    story.tell(REQUESTED)
    *_, started = story.tell(STARTED, run.StepsStarted(steps=(SYNTHESIS,)))

    step, told = story.tell(
        run.StepCompleted(step=SYNTHESIS, result="the report"),
        run.Completed(completed_steps=2, duration_ms=103),
    )

    assert (started["type"], started["subStepId"]) == ("substep.started", SYNTHESIS)
    assert step == {"type": "substep.completed", **THE_SYNTHESIS, "durationMs": 0, "result": "the report"}
    assert told == {
        "type": "execution.completed",
        "status": "completed",
        "completedTasks": 0,
        "failedTasks": 0,
        "durationMs": 103,
        "finalResult": "the report",
    }
    assert story.projection.ending is not None


def test_a_failed_synthesis_suspends_without_a_failed_task() -> None:
    story = Story()
    story.tell(REQUESTED)
    story.tell(STARTED, run.StepsStarted(steps=(SYNTHESIS,)))

    told = story.tell(run.StepFailed(step=SYNTHESIS, attempt=1, error="429"), run.Suspended(reason="429"))

    assert told == [
        {"type": "substep.failed", **THE_SYNTHESIS, "error": "429"},
        {"type": "execution.suspended", "reason": "429", "completedTasks": 0, "failedTasks": 0},
    ]


def test_a_resumed_run_is_sent_as_resumed_and_not_as_started() -> None:
    story = Story()
    story.tell(REQUESTED)
    story.tell(STARTED, run.StepFailed(step="001", attempt=1, error="no"), run.Suspended(reason="no"))

    assert story.tell(run.Resumed()) == [
        {"type": "execution.resumed", "totalTasks": 2, "originalRequest": "do it"}
    ]
    (told,) = story.tell(STARTED)
    assert (told["type"], told["status"], told["failedTasks"]) == ("execution.updated", "running", 0)
    assert story.projection.ending is None


def test_a_take_over_is_invisible() -> None:
    story = Story()
    story.tell(REQUESTED)
    story.tell(STARTED)

    assert story.tell(run.TakenOver(executor="other")) == []


def test_steps_in_progress_have_failed_when_the_run_is_cancelled() -> None:
    story = Story()
    story.tell(REQUESTED)
    story.tell(STARTED, run.StepsStarted(steps=("001", "b")))
    story.tell(run.StepCompleted(step="001", result="x", duration_ms=1))

    step, ended = story.tell(run.Cancelled(reason="enough"))

    assert step == {"type": "substep.failed", **name_step("b"), "error": "cancelled: enough"}
    assert (ended["type"], ended["completedTasks"], ended["failedTasks"]) == ("execution.failed", 1, 1)


def test_a_cancelled_run_has_failed_and_ended() -> None:
    story = Story()
    story.tell(REQUESTED)

    (told,) = story.tell(run.Cancelled(reason="enough"))

    assert told == {
        "type": "execution.failed",
        "status": "failed",
        "error": "cancelled: enough",
        "cancelledReason": "enough",
        "completedTasks": 0,
        "failedTasks": 0,
    }
    assert story.projection.update(0)["status"] == "failed"
    assert story.projection.ending is not None


def test_a_deleted_run_is_known_no_more() -> None:
    story = Story()
    story.tell(REQUESTED)
    assert story.projection.is_known

    assert story.tell(run.Deleted()) == [{"type": "execution.deleted"}]
    assert not story.projection.is_known


def test_ids_become_numbers_only_where_every_reader_keeps_them_exactly() -> None:
    assert name_step("007") == {"subStepId": "007", "taskId": 7}
    assert name_step("9" * 20)["taskId"] == "9" * 20
    assert name_step("²")["taskId"] == "²"


# ── while the plan is made ──────────────────────────────────────────────────────────────────────────────

PLANNING = dag.Requested(goal_text="do it", agent_name="P", run_id="e1")
NOTHING_DONE = {"completedTasks": 0, "failedTasks": 0}


def test_an_execution_is_streamed_from_the_request_for_its_plan_on() -> None:
    story = Story()
    assert not story.projection.is_known

    told = story.tell(PLANNING)

    waits = {"status": "pending", "waitingTasks": 0, **NOTHING_DONE}
    assert told == [
        {"type": "execution.planning", "dagId": plan_id("e1"), "originalRequest": "do it", **waits}
    ]
    assert story.projection.is_known
    assert story.tell(dag.Planned(job=job("001", "b"))) == []
    assert story.tell(REQUESTED)[0]["type"] == "execution.created"
    assert story.tell(dag.Deleted()) == []


def test_a_plan_that_becomes_another_run_is_ignored() -> None:
    story = Story()
    assert story.tell(PLANNING.model_copy(update={"run_id": "e2"})) == []
    assert story.tell(dag.Rejected(http_status=500, error="no")) == []
    assert not story.projection.is_known


def test_an_execution_without_a_plan_has_failed() -> None:
    story = Story()
    story.tell(PLANNING)

    told = story.tell(dag.Rejected(http_status=500, error="no JSON"))

    assert told == [{"type": "execution.failed", "status": "failed", "error": "no JSON", **NOTHING_DONE}]
    assert story.projection.update(0)["status"] == "failed"


def test_an_execution_cancelled_while_it_waits_for_its_plan_ends_once() -> None:
    story = Story()
    story.tell(PLANNING)

    (told,) = story.tell(run.Cancelled(reason="enough"))

    assert (told["type"], told["cancelledReason"]) == ("execution.failed", "enough")
    assert story.tell(dag.Rejected(http_status=409, error="cancelled: enough")) == []


def test_a_shared_budget_that_stops_a_run_is_named() -> None:
    story = Story()
    story.tell(REQUESTED)
    numbers = {"limit": "usd", "allowed": "5", "spent": "5", "needed": "1", "reason": "wait"}
    reached = run.BudgetReached.model_validate({**numbers, "shared": "key:ci/day"})
    (told,) = story.tell(STARTED, reached)[1:]
    assert told["shared"] == "key:ci/day"
