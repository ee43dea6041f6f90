"""Executing plans over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.event import Json
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.domain.executors import SILENCE_S, ExecutorAlive
from contracts.domain.plan import Job
from contracts.domain.schedule.schedule import Schedule
from tests.services.gateway.executions.executions import NOW, WRITE_FILE, inference, job, task
from tests.services.gateway.shared import LLM, UNKNOWN_IDS, add_agent

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

ALIVE = ExecutorAlive(instance="host-1", capacity=1, tools=("readFile",)).model_dump_json().encode()


async def test_a_planned_dag_is_executed(api: Api) -> None:
    await api.write(DAG, "d1", dag.Requested(goal_text="the goal", agent_name="P"))
    await api.write(
        DAG, "d1", dag.Planned(job=Job.model_validate(job(task("001"), task("002", "001"))), title="T")
    )

    answer = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    execution_id = answer.json["executionId"]
    assert answer.status == 202
    assert answer.json == {
        "status": "started",
        "executionId": execution_id,
        "dagId": "d1",
        "originalRequest": "the goal",
        "totalTasks": 2,
        "message": "DAG execution started. Connect to SSE stream for live updates.",
    }
    assert execution_id.startswith("dag-exec_")
    (recorded,) = await api.log.read("run", execution_id)
    assert recorded.commit.state == "pending"
    shown = (await api.get(f"/api/v1/dag-executions/{execution_id}")).json
    assert (shown["status"], shown["dagTitle"], shown["trigger"]) == ("pending", "T", "api")


async def test_dag_run_is_the_same_as_execute_dag_and_answers_200_as_documented(api: Api) -> None:
    await api.write(DAG, "d1", dag.Imported(job=Job.model_validate(job())))

    answer = await api.post("/api/v1/dag-run", {"dagId": "d1"})

    assert (answer.status, answer.json["status"]) == (200, "started")
    assert await api.log.read("run", answer.json["executionId"])


@pytest.mark.parametrize("wrap", [lambda whole: whole, lambda whole: {"job": whole, "dagTitle": "T"}])
async def test_a_whole_job_becomes_a_dag_and_is_executed(api: Api, wrap: Any) -> None:
    answer = await api.post("/api/v1/execute-dag", wrap(job(task("001"), original_request="my job")))

    assert (answer.status, answer.json["originalRequest"]) == (202, "my job")
    stored = (await api.get(f"/api/v1/dags/{answer.json['dagId']}")).json
    assert (stored["status"], stored["result"]["sub_tasks"][0]["id"]) == ("success", "001")
    assert stored["dagTitle"] == wrap({}).get("dagTitle")


@pytest.mark.parametrize(
    ("schedule", "shown_date"),
    [
        (None, "1/1/2026, 12:00:00 PM"),
        (Schedule(cron="", timezone="Asia/Kolkata"), "1/1/2026, 5:30:00 PM"),
    ],
)
async def test_the_date_of_the_execution_is_filled_in_in_the_time_zone_of_the_dag(
    api: Api, schedule: Schedule | None, shown_date: str
) -> None:
    api.gateway.clock = lambda: NOW
    call = {"name": "writeFile", "params": {"path": "{{today}}.md", "content": "{{currentDate}}"}}
    plan = Job.model_validate(job(task("001", tool_or_prompt=call)))
    await api.write(DAG, "d1", dag.Imported(job=plan), dag.ScheduleSet(schedule=schedule))

    answer = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    shown = (await api.get(f"/api/v1/dag-executions/{answer.json['executionId']}")).json
    params = shown["subSteps"][0]["toolOrPromptParams"]
    assert params == {"path": f"{shown_date}.md", "content": shown_date}


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ({}, ["dagId"], "Required"),
        ({"dagId": ""}, ["dagId"], "String must contain at least 1 character(s)"),
        ({"dagId": 7}, ["dagId"], "Expected string, received number"),
        (job() | {"intent": 1}, ["intent"], None),
        ({"job": {"sub_tasks": []}}, ["job", "original_request"], "Required"),
        (job() | {"sub_tasks": []}, ["sub_tasks"], "there is nothing to do: give at least one sub-task"),
        (job(task("001", "002"), task("002", "001")), ["sub_tasks"], None),
        (job(task("001", "009")), ["sub_tasks", 0, "dependencies", 0], None),
        (job(task("001"), task("1")), ["sub_tasks", 1, "id"], None),
        (job(task("001", tool_or_prompt={"name": "rm"})), ["sub_tasks", 0, "tool_or_prompt", "name"], None),
        ({"job": job(*(task(f"{n}") for n in range(3000)))}, ["job", "sub_tasks"], None),
    ],
)
async def test_a_plan_that_cannot_be_executed_is_refused_and_nothing_is_written(
    api: Api, body: Json, path: list[Any], message: str | None
) -> None:
    api.gateway.executors.record_heartbeat(ALIVE)
    answer = await api.post("/api/v1/execute-dag", body)

    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
    issue = answer.json["validation_errors"][0]
    assert issue["path"] == path
    assert message in (None, issue["message"])
    assert await api.log.last_seq() == 0


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("writeFile", 503, "no running executor has the tool 'writeFile': start an executor that has it"),
        ("readFil", 400, "there is no tool 'readFil': did you mean 'readFile'?"),
    ],
)
async def test_a_tool_whose_executor_is_away_is_a_reason_to_try_again(
    api: Api, monkeypatch: pytest.MonkeyPatch, name: str, status: int, error: str
) -> None:
    """A tool that no executor ever had is a mistake."""
    now = 0.0
    monkeypatch.setattr(api.gateway.executors, "_clock", lambda: now)
    api.gateway.executors.record_heartbeat(ALIVE)
    now = SILENCE_S - 1
    api.gateway.executors.record_heartbeat(ALIVE)
    now = SILENCE_S
    api.gateway.catalogue.add(WRITE_FILE.model_copy(update={"name": "readFile"}))
    call = {"name": name, "params": {"path": "a", "content": "b"}}

    answer = await api.post("/api/v1/execute-dag", job(task("001", tool_or_prompt=call)))

    assert answer.status == status
    assert error in answer.body.decode()
    assert (answer.headers.get("retry-after") == "1") is (status == 503)
    assert await api.log.last_seq() == 0


async def test_without_any_executor_an_unknown_tool_may_come_with_one(api: Api) -> None:
    call = {"name": "writeFil", "params": {}}

    answer = await api.post("/api/v1/execute-dag", job(task("001", tool_or_prompt=call)))

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "no executor is running, and none has published the tool 'writeFil'" in answer.json["error"]
    assert "did you mean 'writeFile'?" in answer.json["error"]


async def test_a_step_of_a_default_agent_waits_for_the_planner_that_creates_it(
    start_gateway: StartGateway,
) -> None:
    api = await start_gateway(llm=LLM)

    answer = await api.post("/api/v1/execute-dag", job(inference("001")))

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "start one with `async-agent run planner`" in answer.json["error"]


async def test_a_job_put_in_place_of_the_plan_is_checked_again(api: Api) -> None:
    await api.write(DAG, "d1", dag.Imported(job=Job.model_validate(job())))
    await api.patch("/api/v1/dags/d1", {"result": {"no": "job"}})

    answer = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
    assert answer.json["validation_errors"][0]["path"] == ["original_request"]


@pytest.mark.parametrize("path", ["/api/v1/execute-dag", "/api/v1/dag-run"])
async def test_an_unknown_dag_cannot_be_executed(api: Api, path: str) -> None:
    for dag_id in UNKNOWN_IDS:
        answer = await api.post(path, {"dagId": dag_id})

        assert (answer.status, answer.json) == (404, {"error": f"DAG with id '{dag_id}' not found"})


async def test_a_dag_that_asks_is_not_executed_but_asks_again(api: Api) -> None:
    asking = Job.model_validate(job(clarification_needed=True, clarification_query="which?"))
    await api.write(DAG, "d1", dag.Requested(goal_text="g", agent_name="P"))
    await api.write(DAG, "d1", dag.ClarificationAsked(query="which?", job=asking))

    answer = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    assert answer.status == 200
    assert answer.json == {
        "status": "clarification_required",
        "dagId": "d1",
        "clarification_query": "which?",
        "validation": {"coverage": "high", "gaps": [], "iteration_triggers": []},
    }


async def test_a_job_that_asks_is_answered_with_its_question_and_is_not_stored(api: Api) -> None:
    answer = await api.post(
        "/api/v1/execute-dag", job(task("001"), clarification_needed=True, clarification_query="which?")
    )

    assert (answer.status, answer.json["clarification_query"]) == (200, "which?")
    assert "dagId" not in answer.json
    assert (await api.get("/api/v1/dags")).json["dags"] == []


async def test_a_dag_without_a_plan_cannot_be_executed(api: Api) -> None:
    await api.write(DAG, "d1", dag.Requested(goal_text="g", agent_name="P"))
    planning = await api.post("/api/v1/execute-dag", {"dagId": "d1"})
    await api.write(DAG, "d1", dag.Rejected(http_status=500, error="no"))
    rejected = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    assert (planning.status, rejected.status) == (409, 409)
    assert "still being planned" in planning.json["error"]
    assert "create another" in rejected.json["error"]


async def test_inference_needs_a_model_and_tools_do_not(api: Api, start_gateway: StartGateway) -> None:
    await add_agent(api, "inference")

    answer = await api.post("/api/v1/execute-dag", job(task("001"), inference("002", "001")))

    assert answer.status == 503
    assert "LLM_PROVIDER" in answer.json["error"]


async def test_a_job_of_tools_waits_for_an_executor_that_tells_its_tools(start_gateway: StartGateway) -> None:
    api = await start_gateway()

    answer = await api.post("/api/v1/execute-dag", job())

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "executor" in answer.json["error"]
