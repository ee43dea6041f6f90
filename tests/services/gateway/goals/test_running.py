"""Asking for runs of goals over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from contracts.domain import dag, run
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_id
from contracts.llm import LlmSettings
from tests.services.gateway.goals.goals import GOALS, OBJECTIVE, create, new_agent, running, turns
from tests.services.gateway.shared import LLM, UNKNOWN_IDS

if TYPE_CHECKING:
    from tests.services.conftest import Answer, Api, StartGateway


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"headers": {"Content-Type": "application/json"}}])
async def test_a_run_is_triggered(api: Api, options: Any) -> None:
    agent_id = await new_agent(api, "A")
    params = {"stepBudget": 7, "allowedTools": ["readFile"], "constraints": {"a": 1}, "maxTokens": 5}
    goal_id = (await create(api, params=params, agentName="A", webhookUrl="http://x"))["id"]

    answer = await api.call("POST", f"{GOALS}/{goal_id}/run", **options)

    run_id = answer.json["runId"]
    assert (answer.status, answer.json) == (200, {"runId": run_id, "message": "Run triggered"})
    assert run_id.startswith("run_")
    shown = (await api.get(f"/api/v1/runs/{run_id}")).json
    expected = {
        "goalId": goal_id,
        "status": "pending",
        "stepBudget": 7,
        "workingMemory": {},
        "trigger": "api",
    }
    assert shown | expected == shown
    (recorded,) = await api.log.read("run", run_id)
    assert recorded.commit.events == (
        run.GoalRequested(
            goal_id=goal_id,
            objective=OBJECTIVE,
            step_budget=7,
            allowed_tools=("readFile",),
            constraints={"a": 1},
            max_tokens=5,
            agent_id=agent_id,
            webhook_url="http://x",
        ),
    )


async def test_the_budget_of_a_goal_without_one_is_a_setting(start_gateway: StartGateway) -> None:
    api = await start_gateway(llm=LLM, default_step_budget=9)
    goal_id = (await create(api))["id"]

    run_id = (await api.post(f"{GOALS}/{goal_id}/run")).json["runId"]

    assert (await api.get(f"/api/v1/runs/{run_id}")).json["stepBudget"] == 9


async def test_by_a_plan_a_run_begins_with_the_request_for_it(api: Api) -> None:
    params = {"strategy": "dag", "constraints": {"language": "de"}, "temperature": 0.2}
    goal_id = (await create(api, params=params))["id"]

    run_id = (await api.post(f"{GOALS}/{goal_id}/run")).json["runId"]

    shown = (await api.get(f"/api/v1/runs/{run_id}")).json
    assert (shown["status"], shown["strategy"], shown["dagId"]) == ("pending", "dag", plan_id(run_id))
    (recorded,) = await api.log.read("dag", plan_id(run_id))
    (wanted,) = recorded.commit.events
    assert isinstance(wanted, dag.Requested)
    assert (wanted.run_id, wanted.goal_id, wanted.temperature) == (run_id, goal_id, 0.2)
    assert "language: de" in wanted.goal_text


async def test_an_unknown_goal_cannot_be_run(api: Api) -> None:
    deleted = (await create(api))["id"]
    await api.delete(f"{GOALS}/{deleted}")
    for goal_id in (*UNKNOWN_IDS, deleted):
        answer = await api.post(f"{GOALS}/{quote(goal_id)}/run")

        assert (answer.status, answer.json) == (400, {"error": f"Goal not found: {goal_id}"})


@pytest.mark.parametrize("status", ["paused", "archived"])
async def test_a_goal_that_is_not_active_cannot_be_run(api: Api, status: str) -> None:
    goal_id = (await create(api))["id"]
    await api.patch(f"{GOALS}/{goal_id}", {"status": status})

    answer = await api.post(f"{GOALS}/{goal_id}/run")

    assert (answer.status, answer.json) == (400, {"error": f"Goal is not active: {goal_id}"})
    assert (await api.get("/api/v1/runs")).json == []


async def test_a_run_over_the_limit_is_queued_and_says_so(api: Api) -> None:
    """Pending and running runs count, those that have ended do not."""
    goal_id = (await create(api))["id"]
    for number in range(2):
        await running(api, goal_id, f"run_{number}")
    await api.write(RUN, "run_waiting", turns(goal_id))

    queued = await api.post(f"{GOALS}/{goal_id}/run")
    for run_id in ("run_1", queued.json["runId"]):
        await api.write(RUN, run_id, run.Cancelled(reason="no"))
    taken = await api.post(f"{GOALS}/{goal_id}/run")

    assert (queued.status, queued.json["message"]) == (200, "Run queued: 3 runs are ahead of it")
    assert (taken.status, taken.json["message"]) == (200, "Run triggered")


async def test_a_client_may_be_refused_instead_of_queued(api: Api) -> None:
    goal_id = (await create(api))["id"]
    for number in range(2):
        await running(api, goal_id, f"run_{number}")
    await api.write(RUN, "run_waiting", turns(goal_id))

    refused = await api.post(f"{GOALS}/{goal_id}/run?whenBusy=refuse")

    error = "Maximum concurrent runs (3) exceeded. Current active runs: 3"
    assert (refused.status, refused.json) == (400, {"error": error})
    assert len((await api.get("/api/v1/runs")).json) == 3


async def test_many_requests_at_once_are_accepted_up_to_the_limit(api: Api) -> None:
    goal_id = (await create(api))["id"]

    path = f"{GOALS}/{goal_id}/run?whenBusy=refuse"
    answers = await asyncio.gather(*(api.post(path) for _ in range(6)))

    assert sorted(answer.status for answer in answers) == [200, 200, 200, 400, 400, 400]
    accepted = {answer.json["runId"] for answer in answers if answer.status == 200}
    assert {row["id"] for row in (await api.get("/api/v1/runs")).json} == accepted


async def test_without_a_model_no_run_is_asked_for(start_gateway: StartGateway) -> None:
    api = await start_gateway()
    goal_id = (await create(api))["id"]

    answer = await api.post(f"{GOALS}/{goal_id}/run")

    assert (answer.status, "LLM_PROVIDER" in answer.json["error"]) == (503, True)
    assert (await api.get("/api/v1/runs")).json == []


async def test_a_run_asked_for_while_its_goal_is_paused_does_not_go_on(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    goal_id = (await create(api))["id"]

    async def paused_meanwhile(*_: object) -> None:
        await api.post(f"{GOALS}/{goal_id}/pause")

    monkeypatch.setattr("gateway.api.goals.running._require_model", paused_meanwhile)
    answer = await api.post(f"{GOALS}/{goal_id}/run")

    assert (answer.status, answer.json) == (400, {"error": f"Goal is not active: {goal_id}"})
    (row,) = (await api.get("/api/v1/runs")).json
    assert (row["status"], row["error"]) == ("failed", "cancelled: the goal was stopped at the same time")


async def test_the_model_of_the_goals_own_agent_is_enough(start_gateway: StartGateway) -> None:
    llm = LlmSettings(_env_file=None, llm_provider=None, llm_model=None, openai_api_key="k")
    api = await start_gateway(llm=llm)
    body = {"name": "A", "version": "1", "promptTemplate": "p", "provider": "openai", "model": "m"}
    agent_id = (await api.post("/api/v1/agents", body)).json["id"]
    goal_id = (await create(api, agentId=agent_id))["id"]

    assert (await api.post(f"{GOALS}/{goal_id}/run")).status == 200


async def test_one_run_is_asked_for_under_one_idempotency_key(api: Api) -> None:
    goal_id = (await create(api))["id"]
    key = {"Idempotency-Key": "k"}

    answers = [await api.post(f"{GOALS}/{goal_id}/run", headers=key) for _ in range(2)]

    assert answers[0].json == answers[1].json
    assert len((await api.get("/api/v1/runs")).json) == 1


async def test_a_run_asked_for_before_is_found_again_though_none_could_be_asked_for_now(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the gateway died before it could answer."""
    goal_id = (await create(api))["id"]
    key = {"Idempotency-Key": "k"}
    with monkeypatch.context() as broken:
        broken.setattr(api.gateway, "projected", _die)
        assert (await api.post(f"{GOALS}/{goal_id}/run", headers=key)).status == 500
    await api.post(f"{GOALS}/{goal_id}/pause")

    answer = await api.post(f"{GOALS}/{goal_id}/run", headers=key)

    assert answer.status == 200
    assert [one["id"] for one in (await api.get("/api/v1/runs")).json] == [answer.json["runId"]]


async def _die(*_: object) -> bool:
    raise RuntimeError("killed")


@pytest.mark.parametrize("strategy", ["agent", "dag"])
async def test_a_run_asked_for_while_its_goal_is_deleted_does_not_survive_it(
    api: Api, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    goal_id = (await create(api, params={"strategy": strategy}))["id"]

    async def deleted_meanwhile(*_: object) -> None:
        assert (await api.delete(f"{GOALS}/{goal_id}")).status == 204

    monkeypatch.setattr("gateway.api.goals.running._require_model", deleted_meanwhile)
    answer: Answer = await api.post(f"{GOALS}/{goal_id}/run")

    assert (answer.status, answer.json) == (400, {"error": f"Goal not found: {goal_id}"})
    async for batch in api.log.tail("evt.run.>", after=0):
        assert batch[-1].commit.state == "cancelled"
        break
