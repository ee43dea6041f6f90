"""Resuming runs of goals over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contracts.core.event import Event
from contracts.domain import dag, goal, run
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_id
from contracts.domain.schedule.schedule import Overlap, Schedule
from tests.services.gateway.runs.runs import (
    FILE,
    GOAL_STARTED,
    OBJECTIVE,
    RUNS,
    STARTED,
    WRITE,
    WRITTEN,
    answered,
    completed,
    done,
    job,
    planned,
    pursue,
    shown,
    turn,
    wanted,
)
from tests.services.gateway.shared import LLM
from tests.services.gateway.watching import watching_path

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    """A gateway with a model and one goal."""
    api = await start_gateway(llm=LLM)
    await api.write(GOAL, "goal_1", goal.Created(objective=OBJECTIVE))
    return api


BROKE = run.StepFailed(step="1.0", attempt=1, error="broke")
ENDED = (
    run.Summarised(summary="not all is done"),
    run.Completed(completed_steps=2, duration_ms=9, outcome_reason="calls_failed"),
)
CALLS_FAILED: tuple[tuple[Event, ...], ...] = (
    (turn(1, WRITE), run.StepsStarted(steps=("1.0",))),
    (BROKE, run.StepsStarted(steps=("2",))),
    (turn(2), run.StepsStarted(steps=("summary",))),
    ENDED,
)


async def newest(api: Api, run_id: str) -> tuple[Event, ...]:
    return (await api.log.read("run", run_id))[-1].commit.events


async def test_a_failed_run_is_resumed_and_shown_as_if_it_had_not_ended(api: Api) -> None:
    await pursue(api, "run_1", (run.Failed(error="no model"),))

    answer = await api.post(f"{RUNS}/run_1/resume")

    assert (answer.status, answer.json) == (
        202,
        {
            "status": "resumed",
            "runId": "run_1",
            "goalId": "goal_1",
            "retryCount": 1,
            "message": "Run resumed",
        },
    )
    assert await newest(api, "run_1") == (run.Resumed(),)
    row = await shown(api, "run_1")
    assert (row["status"], row["error"], row["endedAt"]) == ("pending", None, None)


async def test_a_run_that_ended_with_failed_calls_goes_on_and_ends_once_more(api: Api) -> None:
    await pursue(api, "run_1", *CALLS_FAILED)

    assert (await api.post(f"{RUNS}/run_1/resume")).status == 202
    row = await shown(api, "run_1")
    assert (row["status"], row["outcomeReason"], row["workingMemory"]) == ("pending", None, {})
    assert await shown(api, "run_1/outputs") == []
    await api.write(RUN, "run_1", GOAL_STARTED, run.StepsStarted(steps=("3",)))
    await api.write(RUN, "run_1", turn(3, WRITE), run.StepsStarted(steps=("3.0",)))
    await api.write(RUN, "run_1", answered(3, 0, WRITTEN, output=FILE), run.StepsStarted(steps=("4",)))
    await api.write(RUN, "run_1", turn(4), run.StepsStarted(steps=("summary",)))
    end = run.Completed(completed_steps=4, duration_ms=9, outcome_reason="done")
    await api.write(RUN, "run_1", run.Summarised(summary="all is done", attempt=2), end)

    row = await shown(api, "run_1")
    assert (row["status"], row["outcomeReason"], row["stepsExecuted"]) == ("completed", "done", 4)
    assert [one["pathOrPayload"] for one in await shown(api, "run_1/outputs")] == ["g.txt", "all is done"]
    assert [one["stepNo"] for one in await shown(api, "run_1/steps")] == [1, 2, 3, 4]


async def test_a_call_in_progress_of_a_failed_run_runs_again(api: Api) -> None:
    await pursue(api, "run_1", CALLS_FAILED[0], (run.Failed(error="executors died"),))
    (step,) = await shown(api, "run_1/steps")
    assert [one["status"] for one in step["toolCalls"]] == ["failed"]

    assert (await api.post(f"{RUNS}/run_1/resume")).status == 202
    await api.write(RUN, "run_1", GOAL_STARTED, run.StepsStarted(steps=("1.0",)))

    (step,) = await shown(api, "run_1/steps")
    assert [(one["status"], one["error"]) for one in step["toolCalls"]] == [("running", None)]


async def test_a_suspended_run_of_a_plan_is_resumed_as_a_run_of_its_goal(api: Api) -> None:
    stopped = (run.StepFailed(step="001", attempt=1, error="broke"), run.Suspended(reason="broke"))
    await planned(api, "run_1", (STARTED, run.StepsStarted(steps=("001",))), stopped)

    assert (await api.post(f"{RUNS}/run_1/resume")).status == 202
    assert (await shown(api, "run_1"))["status"] == "pending"
    steps = (await api.get("/api/v1/dag-executions/run_1/sub-steps")).json["subSteps"]
    assert {one["status"] for one in steps} == {"pending"}


async def test_a_run_that_cannot_go_on_is_not_resumed_and_the_answer_says_why(api: Api) -> None:
    await completed(api, "run_1")
    await pursue(api, "run_2")
    await pursue(api, "run_3", (run.Cancelled(reason="enough"),))
    await planned(api, "run_4")
    await planned(api, "run_5")
    await api.write(DAG, plan_id("run_5"), dag.Rejected(http_status=500, error="no"))
    report = (done("__SYNTHESIS__", "r"), run.Completed(completed_steps=3, duration_ms=5))
    await planned(api, "run_6", (STARTED, *report))

    for run_id, status, why in (
        ("run_1", "completed", "completed (done): fork it"),
        ("run_2", "running", "the run is running"),
        ("run_3", "failed", "was cancelled, which is final"),
        ("run_4", "pending", "its plan is still being made"),
        ("run_5", "failed", "no plan was made for it"),
        ("run_6", "completed", "the run is completed: fork it"),
    ):
        before = await api.log.last_seq()
        answer = await api.post(f"{RUNS}/{run_id}/resume")
        assert (answer.status, answer.json["currentStatus"]) == (409, status), run_id
        assert why in answer.json["error"]
        assert await api.log.last_seq() == before


async def test_a_run_is_not_resumed_without_a_model(start_gateway: StartGateway) -> None:
    api = await start_gateway()
    await api.write(GOAL, "goal_1", goal.Created(objective=OBJECTIVE))
    await pursue(api, "run_1", (run.Failed(error="no model"),))

    answer = await api.post(f"{RUNS}/run_1/resume")

    assert (answer.status, "LLM_PROVIDER" in answer.json["error"]) == (503, True)


@pytest.mark.parametrize("run_id", ["run_9", "no%20id", "e1"])
async def test_a_run_that_no_goal_has_is_not_resumed(api: Api, run_id: str) -> None:
    request = run.Requested(dag_id="d", original_request="g", job=job())
    await api.write(RUN, "e1", request, STARTED, run.Suspended(reason="no"))

    answer = await api.post(f"{RUNS}/{run_id}/resume")

    assert (answer.status, answer.json) == (404, {"error": "Run not found"})


@pytest.mark.parametrize(
    ("stop", "why"),
    [
        (goal.Paused(), "the goal of the run is paused: resume the goal first"),
        (goal.Archived(), "the goal of the run is archived"),
        (goal.Deleted(), "the goal of the run is deleted"),
    ],
)
async def test_a_run_of_a_goal_that_is_stopped_is_not_resumed(api: Api, stop: Event, why: str) -> None:
    await pursue(api, "run_1", (run.Failed(error="no model"),))
    await api.write(GOAL, "goal_1", stop)

    answer = await api.post(f"{RUNS}/run_1/resume")

    assert answer.status == 409
    assert why in answer.json["error"]
    assert await newest(api, "run_1") == (run.Failed(error="no model"),)


@pytest.mark.parametrize(("overlap", "status"), [(Overlap.SKIP, 409), (Overlap.ALLOW, 202)])
async def test_a_run_is_not_resumed_while_its_schedule_has_another_one_going(
    api: Api, overlap: Overlap, status: int
) -> None:
    daily = Schedule(cron="@daily", overlap=overlap)
    await api.write(GOAL, "goal_2", goal.Created(objective=OBJECTIVE))
    await api.write(GOAL, "goal_2", goal.ScheduleAdded(schedule_id="s1", schedule=daily))
    for run_id in ("run_1", "run_2"):
        await api.write(RUN, run_id, wanted("goal_2", trigger="schedule", schedule_id="s1"))
    await api.write(RUN, "run_1", run.Failed(error="no model"))

    answer = await api.post(f"{RUNS}/run_1/resume")

    assert answer.status == status
    assert status == 202 or "the schedule has started another run, run_2" in answer.json["error"]


async def test_watchers_are_told_that_a_run_was_resumed_and_no_old_end_is_sent(api: Api) -> None:
    await pursue(api, "run_1", *CALLS_FAILED)
    path = f"{RUNS}/run_1/events"
    async with watching_path(api, path) as watcher:
        assert [(await watcher.next()).event for _ in range(2)] == ["run.updated", "run.completed"]
        await api.post(f"{RUNS}/run_1/resume")
        assert (await watcher.next()).event == "run.resumed"
        await api.write(RUN, "run_1", GOAL_STARTED, run.StepsStarted(steps=("3",)))
        assert [(await watcher.next()).event for _ in range(2)] == ["run.updated", "step.started"]
        async with watching_path(api, path) as later:
            first = await later.next()
            assert (first.event, first.data["status"]) == ("run.updated", "running")
            await api.write(RUN, "run_1", turn(3), run.StepsStarted(steps=("summary",)))
            assert (await later.next()).event == "step.thought"
