"""Requests for plans that are refused, and models that are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.domain import agent
from contracts.domain.agent import AGENT

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

from tests.services.gateway.planning.planning import GOAL


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"goal-text": "", "cronSchedule": "bad"}, 400, "Invalid input parameters"),
        ({"goal-text": None}, 400, "Invalid input parameters"),
        ({"max_tokens": "many"}, 400, "Invalid input parameters"),
        ({"cronSchedule": "bad", "timezone": "bad"}, 400, "Invalid cron expression"),
        ({"timezone": "bad", "provider": "bad", "model": "m"}, 400, "Invalid timezone"),
        ({"provider": "bad", "model": "m", "agentName": "Nobody"}, 400, "Invalid LLM provider configuration"),
        ({"provider": "openai", "model": "m"}, 400, "Invalid LLM provider configuration"),
        ({"agentName": "Nobody"}, 404, "Agent 'Nobody' not found OR not active"),
    ],
)
async def test_the_first_problem_is_named_and_nothing_is_written(
    api: Api, changes: dict[str, Any], status: int, error: str
) -> None:
    """The body comes before the schedule, the schedule before the provider, the provider before the agent."""
    before = await api.log.last_seq()

    answer = await api.post("/api/v1/create-dag", GOAL | changes)

    assert (answer.status, answer.json["error"]) == (status, error)
    assert await api.log.last_seq() == before


async def test_refusals_of_create_and_execute_say_failed_but_not_those_of_the_schedule(api: Api) -> None:
    async def refused(**changes: Any) -> str | None:
        status: str | None = (await api.post("/api/v1/create-and-execute-dag", GOAL | changes)).json.get(
            "status"
        )
        return status

    assert await refused(agentName="Nobody") == "failed"
    assert await refused(agentName=7) == "failed"
    assert await refused(provider="bad", model="m") == "failed"
    assert await refused(cronSchedule="bad") is None


async def test_an_inactive_agent_cannot_plan(api: Api) -> None:
    await api.write(AGENT, "a2", agent.Created(name="Idle", version_name="1", prompt_template="p"))

    assert (await api.post("/api/v1/create-dag", GOAL | {"agentName": "Idle"})).status == 404


async def test_without_a_model_planning_says_what_to_set_and_writes_nothing(
    start_gateway: StartGateway,
) -> None:
    api = await start_gateway()

    answer = await api.post("/api/v1/create-dag", GOAL)

    assert answer.status == 503
    assert "LLM_PROVIDER" in answer.json["error"]
    assert await api.log.last_seq() == 0


async def test_an_agent_with_a_model_of_its_own_needs_no_other(start_gateway: StartGateway) -> None:
    api = await start_gateway()
    created = agent.Created(name="Own", version_name="1", prompt_template="p", provider="ollama", model="m")
    await api.write(AGENT, "a1", created)
    await api.write(AGENT, "a1", agent.Activated(name="Own"))

    answer = await api.post(
        "/api/v1/create-dag", GOAL | {"agentName": "Own"}, headers={"Prefer": "respond-async"}
    )

    assert answer.status == 202


@pytest.mark.parametrize(("provider", "model"), [("unheard-of", "m"), ("openai", None), ("openai", "m")])
async def test_an_agent_whose_own_model_cannot_be_called_plans_with_that_of_the_settings(
    api: Api, provider: str, model: str | None
) -> None:
    created = agent.Created(name="Own", version_name="1", prompt_template="p", provider=provider, model=model)
    await api.write(AGENT, "a2", created, agent.Activated(name="Own"))

    answer = await api.post(
        "/api/v1/create-dag", GOAL | {"agentName": "Own"}, headers={"Prefer": "respond-async"}
    )

    assert answer.status == 202


async def test_a_provider_without_a_model_or_a_model_without_a_provider_is_ignored(api: Api) -> None:
    answer = await api.post(
        "/api/v1/create-dag", GOAL | {"provider": "no such"}, headers={"Prefer": "respond-async"}
    )

    assert answer.status == 202
