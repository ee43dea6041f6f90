"""Executions over HTTP that wait for their plan."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_id
from contracts.runtime.stream import Origin, transact
from tests.services.gateway.executions.executions import job, requested

if TYPE_CHECKING:
    from tests.services.conftest import Api

WAITING = plan_id("e1")


@pytest.fixture
async def waiting(api: Api) -> Api:
    """A gateway with an execution e1 whose plan is being made."""
    await api.write(DAG, WAITING, dag.Requested(goal_text="do it", agent_name="P", run_id="e1"))
    return api


async def planner_asks_for_the_run(api: Api) -> run.State:
    """What the planner does when there is a plan, and what became of it."""
    stream = await transact(
        api.log, RUN, "e1", partial(run.request, wanted=requested()), Origin("/planner/1")
    )
    return stream.state


async def test_an_execution_is_pending_while_its_plan_is_made(waiting: Api) -> None:
    shown = (await waiting.get("/api/v1/dag-executions/e1")).json
    assert (shown["status"], shown["dagId"], shown["subSteps"]) == ("pending", WAITING, [])
    assert (shown["originalRequest"], shown["totalTasks"]) == ("do it", 0)

    await waiting.write(DAG, WAITING, dag.Planned(job=Job.model_validate(job()), title="T"))

    shown = (await waiting.get("/api/v1/dag-executions/e1")).json
    assert (shown["status"], shown["dagTitle"], shown["totalTasks"]) == ("pending", "T", 1)
    assert (await waiting.get("/api/v1/dag-executions/e1/sub-steps")).json["subSteps"] == []


@pytest.mark.parametrize("is_planned", [False, True])
async def test_an_execution_can_be_cancelled_while_its_plan_is_made(waiting: Api, is_planned: bool) -> None:
    if is_planned:
        await waiting.write(DAG, WAITING, dag.Planned(job=Job.model_validate(job())))

    answer = await waiting.post("/api/v1/dag-executions/e1/cancel", {"reason": "enough"})

    assert (answer.status, answer.json["status"]) == (200, "failed")
    assert answer.json["cancelledReason"] == "enough"
    assert (await planner_asks_for_the_run(waiting)).status is run.Status.CANCELLED
    assert (await waiting.post("/api/v1/dag-executions/e1/cancel")).status == 200
    assert (await waiting.get("/api/v1/dag-executions/e1")).json == answer.json | {"subSteps": []}
    assert "it was cancelled" in (await waiting.post("/api/v1/resume-dag/e1")).json["error"]


async def test_an_execution_that_waits_for_its_plan_can_be_deleted(waiting: Api) -> None:
    assert (await waiting.delete("/api/v1/dag-executions/e1")).status == 200

    assert (await planner_asks_for_the_run(waiting)).status is run.Status.DELETED
    assert (await waiting.get("/api/v1/dag-executions/e1")).status == 404
    assert (await waiting.post("/api/v1/dag-executions/e1/cancel")).status == 404
    assert (await waiting.post("/api/v1/resume-dag/e1")).status == 404


async def test_an_execution_without_a_plan_is_not_resumed_yet_or_ever(waiting: Api) -> None:
    early = await waiting.post("/api/v1/resume-dag/e1")
    await waiting.write(DAG, WAITING, dag.Rejected(http_status=500, error="no JSON"))
    late = await waiting.post("/api/v1/resume-dag/e1")

    assert (early.status, early.json["currentStatus"]) == (400, "pending")
    assert (late.status, late.json["currentStatus"]) == (400, "failed")
    assert (await waiting.get("/api/v1/dag-executions/e1")).json["status"] == "failed"
    assert (await waiting.post("/api/v1/dag-executions/e1/cancel")).status == 409


async def test_an_execution_that_waits_for_its_plan_is_not_a_run_of_a_goal(waiting: Api) -> None:
    assert (await waiting.post("/api/v1/runs/e1/cancel")).status == 404
    assert (await waiting.delete("/api/v1/runs/e1")).status == 404
