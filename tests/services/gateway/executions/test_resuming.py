"""Resuming and cancelling executions over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from contracts.domain import agent, dag, run
from contracts.domain.agent import AGENT
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.domain.run.steps import SYNTHESIS
from contracts.domain.schedule.schedule import Schedule
from tests.services.gateway.executions.executions import (
    NOW,
    STARTED,
    completed,
    done,
    inference,
    job,
    requested,
    suspended,
    task,
)
from tests.services.gateway.shared import UNKNOWN_IDS

if TYPE_CHECKING:
    from tests.services.conftest import Api


async def test_a_suspended_execution_is_resumed(api: Api) -> None:
    await suspended(api, "e1")

    answer = await api.post("/api/v1/resume-dag/e1")

    assert answer.status == 202
    assert answer.json == {
        "status": "resumed",
        "executionId": "e1",
        "dagId": "d1",
        "retryCount": 1,
        "message": "DAG execution resumed. Connect to SSE stream for live updates.",
    }
    shown = (await api.get("/api/v1/dag-executions/e1")).json
    assert (shown["status"], shown["retryCount"], shown["suspendedReason"]) == ("pending", 1, None)
    assert shown["lastRetryAt"] is not None


async def test_resuming_says_when_the_dag_has_another_plan_by_now(api: Api) -> None:
    await suspended(api, "e1")
    first = requested()
    await api.write(DAG, "d1", dag.Imported(job=first.job))
    other = first.job.as_json() | {"original_request": "the same steps, asked for otherwise"}
    await api.patch("/api/v1/dags/d1", {"result": other})
    assert "plan" not in (await api.post("/api/v1/resume-dag/e1")).json["message"]

    await suspended(api, "e2")
    await api.patch(
        "/api/v1/dags/d1",
        {"result": job(task("001", tool_or_prompt={"name": "readFile", "params": {"path": "b.md"}}))},
    )
    message = (await api.post("/api/v1/resume-dag/e2")).json["message"]
    assert "It keeps the plan it was started with" in message


@pytest.mark.parametrize(
    ("event", "status"),
    [(None, "pending"), (STARTED, "running")],
)
async def test_only_a_suspended_execution_can_be_resumed(api: Api, event: Any, status: str) -> None:
    await api.write(RUN, "e1", requested())
    if event:
        await api.write(RUN, "e1", event)

    answer = await api.post("/api/v1/resume-dag/e1")

    assert answer.status == 400
    assert answer.json == {
        "error": f"Cannot resume execution with status '{status}'. "
        "Only 'suspended' or 'failed' executions can be resumed.",
        "currentStatus": status,
    }


async def test_resuming_needs_a_model_when_inferences_are_left(api: Api) -> None:
    await suspended(api, "e1", task("001"), inference("002", "001"))

    assert (await api.post("/api/v1/resume-dag/e1")).status == 503
    assert (await api.get("/api/v1/dag-executions/e1")).json["status"] == "suspended"


OWN_MODEL = {"provider": "ollama", "model": "own"}
THINKING = job(task("001"), inference("002", "001"))


async def with_inference(api: Api, **model: str) -> None:
    """An agent for inferences."""
    made = agent.Created(name="inference", version_name="1", prompt_template="p", **model)
    await api.write(AGENT, "thinker", made)
    await api.write(AGENT, "thinker", agent.Activated(name="inference"))


async def test_an_inference_asks_the_model_of_its_agent_so_none_is_missing(api: Api) -> None:
    await with_inference(api, **OWN_MODEL)
    await suspended(api, "e1", task("001"), inference("002", "001"))

    assert (await api.post("/api/v1/execute-dag", {"job": THINKING})).status == 202
    assert (await api.post("/api/v1/resume-dag/e1")).status == 202


async def test_the_report_of_inferences_needs_no_model_of_the_settings(api: Api) -> None:
    """Without one it is their results, put together."""
    await with_inference(api, **OWN_MODEL)

    answer = await api.post("/api/v1/execute-dag", {"job": THINKING | {"synthesis_plan": "merge"}})

    assert answer.status == 202


async def test_an_execution_that_lacks_only_its_report_is_resumed_without_a_model(api: Api) -> None:
    plan = Job.model_validate(job(inference("001"), synthesis_plan="merge"))
    await api.write(RUN, "e1", run.Requested(dag_id="d1", original_request="do it", job=plan))
    await api.write(RUN, "e1", STARTED, run.StepsStarted(steps=("001",)))
    await api.write(RUN, "e1", done("001", "a thought"), run.StepsStarted(steps=(SYNTHESIS,)))
    failed = run.StepFailed(step=SYNTHESIS, attempt=1, error="no model")
    await api.write(RUN, "e1", failed, run.Suspended(reason="no model"))

    assert (await api.post("/api/v1/resume-dag/e1")).status == 202


async def test_an_execution_keeps_the_time_zone_of_its_dag(api: Api) -> None:
    imported = dag.Imported(job=Job.model_validate(job(task("001"))))
    schedule = Schedule(cron="@daily", timezone="Asia/Kolkata")
    await api.write(DAG, "d1", imported, dag.ScheduleSet(schedule=schedule))

    answer = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    (recorded,) = await api.log.read("run", answer.json["executionId"])
    (wanted,) = recorded.commit.events
    assert isinstance(wanted, run.Requested)
    assert wanted.timezone == "Asia/Kolkata"


async def test_resuming_a_cancelled_execution_is_refused_with_its_status_in_the_api(api: Api) -> None:
    await api.write(RUN, "e1", requested())
    await api.write(RUN, "e1", run.Cancelled(reason="enough"))

    answer = await api.post("/api/v1/resume-dag/e1")

    shown = (await api.get("/api/v1/dag-executions/e1")).json["status"]
    assert (answer.status, answer.json["currentStatus"]) == (400, shown)
    assert "it was cancelled" in answer.json["error"]


async def test_an_unknown_execution_cannot_be_resumed(api: Api) -> None:
    for execution_id in UNKNOWN_IDS:
        answer = await api.post(f"/api/v1/resume-dag/{quote(execution_id)}")

        assert (answer.status, answer.json) == (
            404,
            {"error": f"Execution with id '{execution_id}' not found"},
        )


async def test_a_cancelled_execution_is_shown_as_failed_and_says_why(api: Api) -> None:
    await api.write(RUN, "e1", requested())
    await api.write(RUN, "e1", STARTED, run.StepsStarted(steps=("001",)))

    answer = await api.post("/api/v1/dag-executions/e1/cancel", {"reason": "enough"})

    assert answer.status == 200
    assert (answer.json["status"], answer.json["cancelledReason"]) == ("failed", "enough")
    assert answer.json["cancelledAt"] is not None
    assert [
        row["id"] for row in (await api.get("/api/v1/dag-executions?status=failed")).json["executions"]
    ] == ["e1"]


async def test_steps_in_progress_of_a_cancelled_execution_are_counted_as_failed(api: Api) -> None:
    waits = run.StepFailed(step="002", attempt=1, error="busy", retry_at=NOW)
    steps = run.StepsStarted(steps=("001", "002", "003"))
    wanted = requested(*(task(id_) for id_ in ("001", "002", "003", "004")))
    await api.write(RUN, "e1", wanted, STARTED, steps, waits, done("003", "x"), at=NOW)

    shown = (await api.post("/api/v1/dag-executions/e1/cancel", {"reason": "enough"})).json

    row = (await api.get("/api/v1/dag-executions/e1")).json
    assert (row["completedTasks"], row["failedTasks"], row["waitingTasks"]) == (1, 2, 0)
    assert (shown["failedTasks"], shown["durationMs"]) == (2, row["durationMs"])
    ended, started = (datetime.fromisoformat(row[key]) for key in ("completedAt", "startedAt"))
    assert row["durationMs"] == (ended - started) / timedelta(milliseconds=1)
    steps_shown = {one["taskId"]: (one["status"], one["error"]) for one in row["subSteps"]}
    assert steps_shown == {
        "001": ("failed", "cancelled: enough"),
        "002": ("failed", "cancelled: enough"),
        "003": ("completed", None),
        "004": ("pending", None),
        SYNTHESIS: ("pending", None),
    }


async def test_an_execution_cancelled_before_it_began_took_no_time(api: Api) -> None:
    await api.write(RUN, "e1", requested())
    await api.post("/api/v1/dag-executions/e1/cancel")
    row = (await api.get("/api/v1/dag-executions/e1")).json
    assert (row["durationMs"], row["failedTasks"], row["startedAt"]) == (0, 0, None)


async def test_cancelling_twice_changes_nothing(api: Api) -> None:
    await api.write(RUN, "e1", requested())

    assert (await api.post("/api/v1/dag-executions/e1/cancel")).status == 200
    before = await api.log.last_seq()
    assert (await api.post("/api/v1/dag-executions/e1/cancel")).status == 200
    assert await api.log.last_seq() == before


async def test_a_run_that_has_ended_cannot_be_cancelled(api: Api) -> None:
    await completed(api, "e1")

    answer = await api.post("/api/v1/dag-executions/e1/cancel")

    assert (answer.status, answer.json["currentStatus"]) == (409, "completed")
    assert "nothing left to cancel" in answer.json["error"]
