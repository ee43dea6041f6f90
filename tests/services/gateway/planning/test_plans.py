"""Asking for plans over HTTP; commits appended to the log stand for the planner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.tool import Effect, ToolSpec
from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from contracts.domain.schedule.schedule import Schedule
from tests.services.gateway.shared import LLM, add_agent

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

from tests.services.gateway.planning.planning import (
    ASKING,
    ATTEMPT,
    GOAL,
    SHOWN_USAGE,
    TITLE,
    job,
    next_request,
    plan,
)


async def test_a_plan_that_covers_the_goal_is_answered_by_its_id(api: Api) -> None:
    answer, dag_id = await plan(api, "/api/v1/create-dag", [ATTEMPT], [TITLE, dag.Planned(job=job())])

    assert (answer.status, answer.json) == (200, {"status": "success", "dagId": dag_id})
    assert (await api.get(f"/api/v1/dags/{dag_id}")).json["status"] == "success"


async def test_the_planner_gets_the_request_as_it_was_sent(api: Api) -> None:
    body = {
        "goal-text": "dé \ud83d\ude00",
        "agentName": "Planner",
        "provider": "ollama",
        "model": "other",
        "max_tokens": 5,
        "temperature": 3,
        "seed": 0,
        "cronSchedule": "@daily",
        "timezone": "Europe/Paris",
    }

    await api.post("/api/v1/create-dag", body, headers={"Prefer": "respond-async"})

    _, state = await next_request(api)
    assert state.request == dag.Requested(
        goal_text="dé \U0001f600",
        agent_name="Planner",
        provider="ollama",
        model="other",
        max_tokens=5,
        temperature=3,
        seed=0,
        schedule=Schedule(cron="@daily", timezone="Europe/Paris", active=True),
    )


@pytest.mark.parametrize(
    ("given", "schedule"),
    [
        ({}, None),
        ({"timezone": "UTC"}, None),
        ({"timezone": "asia/kolkata"}, Schedule(cron="", active=False, timezone="Asia/Kolkata")),
        ({"scheduleActive": True}, Schedule(cron="", active=True)),
        ({"cronSchedule": ""}, None),
        ({"cronSchedule": "@daily"}, Schedule(cron="@daily", active=True)),
        ({"cronSchedule": "@daily", "scheduleActive": False}, Schedule(cron="@daily", active=False)),
    ],
)
async def test_each_value_of_a_schedule_is_optional(
    api: Api, given: dict[str, Any], schedule: Schedule | None
) -> None:
    body = {"goal-text": "do it", "agentName": "Planner", **given}
    answer = await api.post("/api/v1/create-dag", body, headers={"Prefer": "respond-async"})

    _, state = await next_request(api)
    assert state.request is not None
    assert state.request.schedule == schedule
    row = (await api.get(f"/api/v1/dags/{answer.json['dagId']}")).json
    expected = schedule or Schedule(cron="", active=False)
    shown = (row["cronSchedule"], row["scheduleActive"], row["timezone"])
    assert shown == (expected.cron or None, expected.active, expected.timezone)


async def test_a_plan_that_covers_less_is_stored_and_shown(api: Api) -> None:
    answer, dag_id = await plan(api, "/api/v1/create-dag", [ATTEMPT, TITLE, dag.Planned(job=job("low"))])

    assert answer.status == 200
    assert answer.json == {
        "status": "success",
        "dagId": dag_id,
        "result": job("low").model_dump(mode="json", exclude_none=True),
        "usage": SHOWN_USAGE,
        "generation_stats": {"id": "g"},
        "attempts": 1,
    }


@pytest.mark.parametrize("path", ["/api/v1/create-dag", "/api/v1/create-and-execute-dag"])
async def test_a_question_of_the_model_is_passed_on(api: Api, path: str) -> None:
    answer, dag_id = await plan(api, path, [ATTEMPT, dag.ClarificationAsked(query="which?", job=ASKING)])

    assert answer.status == 200
    assert answer.json == {
        "status": "clarification_required",
        "dagId": dag_id,
        "clarification_query": "which?",
        "result": ASKING.model_dump(mode="json", exclude_none=True),
        "usage": SHOWN_USAGE,
        "generation_stats": {"id": "g"},
    }


@pytest.mark.parametrize(
    ("path", "failed"), [("/api/v1/create-dag", {}), ("/api/v1/create-and-execute-dag", {"status": "failed"})]
)
@pytest.mark.parametrize(
    "rejected",
    [
        dag.Rejected(
            http_status=400,
            error="Invalid DAG structure after multiple attempts",
            details={"validation_errors": [{"code": "custom"}], "attempts": 3, "result": {"a": 1}},
        ),
        dag.Rejected(http_status=500, error="Response too large: 100001 bytes", details={"maxSize": 100000}),
        dag.Rejected(http_status=500, error="connection refused"),
    ],
)
async def test_the_reason_why_there_is_not_a_plan_is_in_the_answer(
    api: Api, path: str, failed: dict[str, str], rejected: dag.Rejected
) -> None:
    answer, dag_id = await plan(api, path, [ATTEMPT, rejected])

    assert answer.status == rejected.http_status
    assert answer.json == {**failed, "error": rejected.error, **rejected.details, "dagId": dag_id}


@pytest.mark.parametrize(
    ("path", "status"), [("/api/v1/create-dag", None), ("/api/v1/create-and-execute-dag", "failed")]
)
async def test_the_answer_says_that_the_dag_was_deleted_while_it_was_planned(
    api: Api, path: str, status: str | None
) -> None:
    answer, dag_id = await plan(api, path, [dag.Deleted()])

    assert (answer.status, answer.json["dagId"]) == (409, dag_id)
    assert answer.json.get("status") == status


async def test_a_plan_is_executed_as_the_run_that_the_answer_names(api: Api) -> None:
    asking = asyncio.create_task(api.post("/api/v1/create-and-execute-dag", GOAL))
    dag_id, state = await next_request(api)
    assert state.request
    assert state.request.run_id
    execution_id = state.request.run_id
    await api.write(DAG, dag_id, ATTEMPT, dag.Planned(job=job()))
    await api.write(RUN, execution_id, run.Requested(dag_id=dag_id, original_request="do it", job=job()))

    answer = await asking

    assert answer.status == 202
    assert answer.json == {
        "status": "executing",
        "dagId": dag_id,
        "executionId": execution_id,
        "originalRequest": "do it",
        "totalTasks": 1,
        "usage": SHOWN_USAGE,
        "generation_stats": {"id": "g"},
        "message": "DAG created and execution started. Connect to SSE stream for live updates.",
    }
    assert (await api.get(f"/api/v1/dag-executions/{execution_id}")).status == 200


@pytest.mark.parametrize("preference", ["respond-async", "wait=5, Respond-Async", "respond-async; x=1"])
async def test_a_client_that_prefers_not_to_wait_gets_the_location_of_the_plan(
    api: Api, preference: str
) -> None:
    answer = await api.post("/api/v1/create-and-execute-dag", GOAL, headers={"Prefer": preference})

    dag_id, state = await next_request(api)
    assert state.request
    assert answer.status == 202
    assert answer.json == {"status": "planning", "dagId": dag_id, "executionId": state.request.run_id}
    assert answer.headers["location"] == f"/api/v1/dags/{dag_id}"
    assert (await api.get(answer.headers["location"])).json["status"] == "planning"


async def test_a_client_that_has_waited_to_the_limit_gets_the_location_of_the_plan(
    start_gateway: StartGateway,
) -> None:
    api = await start_gateway(llm=LLM, planning_wait_s=0.01)
    await add_agent(api)

    answer = await api.post("/api/v1/create-dag", GOAL)

    assert (answer.status, answer.json["status"]) == (202, "planning")
    assert answer.headers["location"] == f"/api/v1/dags/{answer.json['dagId']}"


async def test_planning_goes_on_when_the_client_leaves(api: Api) -> None:
    asking = asyncio.create_task(api.post("/api/v1/create-dag", GOAL))
    dag_id, _ = await next_request(api)
    asking.cancel()
    await asyncio.wait([asking])

    await api.write(DAG, dag_id, dag.Planned(job=job()))

    assert (await api.get(f"/api/v1/dags/{dag_id}")).json["status"] == "success"


# ── clarify ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answered_question_is_answered_like_a_new_goal(api: Api) -> None:
    _, dag_id = await plan(api, "/api/v1/create-dag", [dag.ClarificationAsked(query="which?", job=ASKING)])

    answer, _ = await plan(
        api,
        f"/api/v1/dags/{dag_id}/clarify",
        [ATTEMPT, dag.Planned(job=job())],
        body={"answer": "the blue one"},
    )

    assert (answer.status, answer.json) == (200, {"status": "success", "dagId": dag_id})
    stored = DAG.fold([event for one in await api.log.read("dag", dag_id) for event in one.commit.events])
    assert stored.goal_text == "do it\n\nUser clarification: the blue one"
    row = (await api.get(f"/api/v1/dags/{dag_id}")).json
    assert row["params"] == {
        "goalText": stored.goal_text,
        "agentName": "Planner",
        "temperature": 0.7,
        "max_tokens": 10000,
    }
    api.gateway.catalogue.add(ToolSpec(name="noop", description="", parameters={}, effect=Effect.READ))
    executed = await api.post("/api/v1/execute-dag", {"dagId": dag_id})
    assert executed.json["originalRequest"] == stored.goal_text


async def test_a_client_value_in_place_of_the_params_stays_when_a_question_is_answered(api: Api) -> None:
    _, dag_id = await plan(api, "/api/v1/create-dag", [dag.ClarificationAsked(query="which?", job=ASKING)])
    await api.patch(f"/api/v1/dags/{dag_id}", {"params": {"mine": [1, "é"]}})

    headers = {"Prefer": "respond-async"}
    await api.post(f"/api/v1/dags/{dag_id}/clarify", {"answer": "x"}, headers=headers)

    assert (await api.get(f"/api/v1/dags/{dag_id}")).json["params"] == {"mine": [1, "é"]}


async def test_only_a_dag_that_asks_can_be_answered(api: Api) -> None:
    _, dag_id = await plan(api, "/api/v1/create-dag", [dag.Planned(job=job())])

    planned = await api.post(f"/api/v1/dags/{dag_id}/clarify", {"answer": "x"})
    unknown = await api.post("/api/v1/dags/nope/clarify", {"answer": "x"})
    empty = await api.post(f"/api/v1/dags/{dag_id}/clarify", {"answer": ""})

    assert planned.status == 409
    assert (unknown.status, unknown.json["error"]) == (404, "DAG with id 'nope' not found")
    assert (empty.status, empty.json["error"]) == (400, "Invalid input parameters")


async def test_an_execution_that_is_not_waited_for_can_be_found_at_once(api: Api) -> None:
    headers = {"Prefer": "respond-async"}

    answer = await api.post("/api/v1/create-and-execute-dag", GOAL, headers=headers)

    execution = f"/api/v1/dag-executions/{answer.json['executionId']}"
    shown = (await api.get(execution)).json
    assert (answer.status, shown["status"], shown["dagId"]) == (202, "pending", answer.json["dagId"])
    async with api.http.get(f"{api.url}{execution}/events") as stream:
        frame = [await stream.content.readline() for _ in range(3)]
    assert b"event: execution.updated\n" in frame
    assert b'"status":"pending"' in frame[-1]
    assert (await api.post(f"{execution}/cancel")).json["status"] == "failed"
