"""The run that a tick asks for, and the plans that cannot be run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.domain import dag, run
from contracts.domain.plan import Job
from contracts.domain.schedule.schedule import Schedule
from scheduler.active_schedules import ActiveSchedule
from scheduler.request import InvalidPlan, executable, plan_run
from tests import jobs

TICK = datetime(2026, 11, 23, 5, 45, 42, tzinfo=UTC)
ENTRY = ActiveSchedule("d", ("dag", "d"), Schedule(cron="* * * * * *", timezone="Europe/Paris"), since=TICK)


def job_json(*tasks: tuple[str, list[str]], prompt: str = "go", **changes: Any) -> dict[str, Any]:
    said = {"prompt": prompt}
    steps = [jobs.task(id_, "a tool of a plug-in", said, needs=tuple(needs)) for id_, needs in tasks]
    return jobs.job_json(**{"original_request": "in the model's words", "sub_tasks": steps, **changes})


def plan_of(job: Any, *, goal_text: str = "") -> dag.State:
    return dag.State(dag.Status.PLANNED, job=job, goal_text=goal_text, title="A title")


def wanted_of(plan: dag.State) -> run.Requested:
    event = plan_run(ENTRY, TICK, plan, executable(plan)).event
    assert isinstance(event, run.Requested)
    return event


def test_the_date_in_a_plan_is_that_of_the_tick_in_the_zone_of_the_schedule() -> None:
    job = job_json(("001", []), prompt="news of {{currentDate}}, {{Today}}")
    wanted = wanted_of(plan_of(Job.model_validate(job)))
    (task,) = wanted.job.sub_tasks
    assert task.tool_or_prompt.params["prompt"] == "news of 11/23/2026, 6:45:42 AM, 11/23/2026, 6:45:42 AM"


def test_the_run_knows_its_dag_and_that_a_schedule_asked_for_it() -> None:
    wanted = wanted_of(plan_of(job_json(("001", [])), goal_text="in the user's words"))
    assert (wanted.dag_id, wanted.dag_title, wanted.trigger) == ("d", "A title", "schedule")
    assert wanted.original_request == "in the user's words"
    assert wanted.timezone == ENTRY.schedule.timezone


def test_a_plan_without_a_goal_keeps_its_own_request() -> None:
    assert wanted_of(plan_of(job_json(("001", [])))).original_request == "in the model's words"


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ({"sub_tasks": "none"}, "original_request: Required"),
        (None, "correct its `result`: the plan: "),
        (job_json(), "nothing to do"),
        (job_json(("1", ["2"]), ("2", ["1"])), "circle"),
        (job_json(("1", ["7"])), "no sub-task has the id '7'"),
        (job_json(("1", []), clarification_needed=True, clarification_query="Which one?"), "Which one?"),
    ],
)
def test_a_plan_that_cannot_be_executed_says_why(job: Any, reason: str) -> None:
    with pytest.raises(InvalidPlan) as refused:
        executable(plan_of(job))
    assert reason in str(refused.value)
