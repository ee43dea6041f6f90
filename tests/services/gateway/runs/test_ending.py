"""Cancelling and deleting runs over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_id
from tests.services.gateway.runs.runs import (
    RUNS,
    STARTED,
    WRITE,
    completed,
    executed,
    job,
    planned,
    pursue,
    shown,
    turn,
)

if TYPE_CHECKING:
    from tests.services.conftest import Api

# ── cancel ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_cancelled_run_is_shown_as_failed_and_says_why(api: Api) -> None:
    await pursue(api, "run_1", (turn(1, WRITE), run.StepsStarted(steps=("1.0",))))

    answer = await api.post(f"{RUNS}/run_1/cancel", {"reason": "enough"})

    expected = {"id": "run_1", "status": "failed", "error": "cancelled: enough", "cancelledReason": "enough"}
    assert answer.status == 200
    assert answer.json | expected == answer.json
    (step,) = await shown(api, "run_1/steps")
    assert [one["status"] for one in step["toolCalls"]] == ["failed"]


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"headers": {"Content-Type": "application/json"}}])
async def test_cancelling_needs_no_reason_and_twice_changes_nothing(api: Api, options: Any) -> None:
    await pursue(api, "run_1")

    first = await api.call("POST", f"{RUNS}/run_1/cancel", **options)
    before = await api.log.last_seq()
    second = await api.call("POST", f"{RUNS}/run_1/cancel", **options)

    assert (first.status, second.status) == (200, 200)
    assert first.json == second.json
    assert await api.log.last_seq() == before


async def test_a_run_that_has_ended_cannot_be_cancelled(api: Api) -> None:
    await completed(api, "run_1")
    await pursue(api, "run_2", (run.Failed(error="no"),))
    await planned(api, "run_3")
    await api.write(DAG, plan_id("run_3"), dag.Rejected(http_status=500, error="no"))

    for run_id, status in (("run_1", "completed"), ("run_2", "failed"), ("run_3", "failed")):
        answer = await api.post(f"{RUNS}/{run_id}/cancel")

        assert (answer.status, answer.json["currentStatus"]) == (409, status)
        assert "nothing left to cancel" in answer.json["error"]


@pytest.mark.parametrize("reason", ["", "x" * 1001, 5, None])
async def test_a_bad_reason_is_refused(api: Api, reason: Any) -> None:
    await pursue(api, "run_1")

    answer = await api.post(f"{RUNS}/run_1/cancel", {"reason": reason})

    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
    assert (await shown(api, "run_1"))["status"] == "running"


async def test_a_run_that_waits_for_its_plan_never_begins_once_it_is_cancelled(api: Api) -> None:
    await planned(api, "run_1")

    answer = await api.post(f"{RUNS}/run_1/cancel", {"reason": "enough"})
    again = await api.post(f"{RUNS}/run_1/cancel")

    assert (answer.status, answer.json["status"], answer.json["error"]) == (
        200,
        "failed",
        "cancelled: enough",
    )
    assert again.json == answer.json
    assert (await api.log.read("dag", plan_id("run_1")))[-1].commit.state == "rejected"
    late = run.Requested(dag_id="d", original_request="g", job=job(), goal_id="goal_1")
    state = RUN.fold(event for one in await api.log.read("run", "run_1") for event in one.commit.events)
    assert run.request(state, late) == []


async def test_an_execution_is_cancelled_as_the_run_that_it_is(api: Api) -> None:
    await planned(api, "run_1", (STARTED, run.StepsStarted(steps=("001",))))

    answer = await api.post(f"{RUNS}/run_1/cancel", {"reason": "enough"})

    assert (answer.status, answer.json["status"], answer.json["error"]) == (
        200,
        "failed",
        "cancelled: enough",
    )
    assert (await api.get("/api/v1/dag-executions/run_1")).json["cancelledReason"] == "enough"
    assert (await api.log.read("dag", plan_id("run_1")))[-1].commit.state == "planned"


# ── delete ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("make", [completed, executed])
async def test_a_deleted_run_is_gone_with_its_steps(api: Api, make: Any) -> None:
    await make(api, "run_1")

    answer = await api.delete(f"{RUNS}/run_1")

    assert (answer.status, answer.body) == (204, b"")
    for path in ("run_1", "run_1/steps", "run_1/outputs"):
        assert (await api.get(f"{RUNS}/{path}")).status == 404
    assert (await api.get(RUNS)).json == []
    again = await api.delete(f"{RUNS}/run_1")
    assert (again.status, again.json) == (404, {"error": "Run not found"})


async def test_deleting_a_run_that_is_going_on_cancels_it(api: Api) -> None:
    await pursue(api, "run_1")

    assert (await api.delete(f"{RUNS}/run_1")).status == 204
    events = (await api.log.read("run", "run_1"))[-1].commit.events
    assert [type(event) for event in events] == [run.Cancelled, run.Deleted]


@pytest.mark.parametrize("rejected", [False, True])
async def test_a_run_that_waits_for_its_plan_can_be_deleted_and_never_begins(
    api: Api, rejected: bool
) -> None:
    await planned(api, "run_1")
    if rejected:
        await api.write(DAG, plan_id("run_1"), dag.Rejected(http_status=500, error="no"))

    assert (await api.delete(f"{RUNS}/run_1")).status == 204

    assert (await api.get(f"{RUNS}/run_1")).status == 404
    assert (await api.delete(f"{RUNS}/run_1")).status == 404
    assert (await api.log.read("dag", plan_id("run_1")))[-1].commit.state == "rejected"
    assert (await api.log.read("run", "run_1"))[-1].commit.state == "deleted"


# ── runs by turns are no executions ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "dag-executions/run_1"),
        ("GET", "dag-executions/run_1/events"),
        ("POST", "dag-executions/run_1/cancel"),
        ("DELETE", "dag-executions/run_1"),
        ("POST", "resume-dag/run_1"),
    ],
)
async def test_a_run_by_turns_is_not_an_execution(api: Api, method: str, path: str) -> None:
    await pursue(api, "run_1")
    before = await api.log.last_seq()

    assert (await api.call(method, f"/api/v1/{path}")).status == 404
    assert await api.log.last_seq() == before
