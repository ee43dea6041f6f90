"""A planner at work: requests in, models asked, plans or refusals out."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY

from contracts.core.event import Usage
from contracts.domain import agent, dag, run
from contracts.domain.agent import AGENT
from contracts.domain.dag import AttemptMade, ClarificationAsked, Planned, Rejected
from contracts.runtime.catalogue import Catalogue
from deploy.scripted_llm.rules import ScriptedAnswer

if TYPE_CHECKING:
    from tests.services.planner.conftest import World


async def test_a_goal_becomes_a_plan_with_title_and_costs_in_one_commit(
    world: World, job: dict[str, Any]
) -> None:
    world.model.says(job)

    made, titled, planned = await world.plan()

    assert isinstance(made, AttemptMade)
    assert (made.attempt, made.reason, made.error, made.cost_usd) == (1, "initial", None, "1.25")
    assert made.usage == Usage(prompt_tokens=10, completion_tokens=20)
    assert (made.generation_stats or {})["finish_reason"] == "stop"
    assert isinstance(titled, AttemptMade)
    assert (titled.attempt, titled.reason, titled.cost_usd) == (1, "title_master", "0.5")
    assert titled.usage == Usage(prompt_tokens=2, completion_tokens=1)
    assert isinstance(planned, Planned)
    assert planned.title == "A title"
    assert planned.job.original_request == "Read it"
    assert [one.id for one in planned.job.sub_tasks] == ["001", "002"]
    requested, ended = await world.commits("dag", "d1")
    assert (ended.commit.state, ended.commit.source) == ("planned", "/planner/test")
    assert ended.commit.causation_id == requested.commit.id
    assert ended.commit.correlation_id == requested.commit.correlation_id
    assert ended.commit.actor == requested.commit.actor == "key:ci"


async def test_the_model_is_asked_as_the_request_says(world: World, job: dict[str, Any]) -> None:
    world.model.says(job)

    await world.plan(goal_text="Read it {{CurrentDate}}", temperature=0.1, max_tokens=77, seed=0)

    (asked,) = world.asked
    system, user = asked["messages"]
    assert user == {"role": "user", "content": "Read it 11/23/2026, 6:45:42 AM"}
    start = "You plan. 11/23/2026, 6:45:42 AM "
    assert system["content"].startswith(start)
    assert json.loads(system["content"].removeprefix(start))[0]["function"]["name"] == "readFile"
    assert (asked["model"], asked["temperature"], asked["max_tokens"], asked["seed"]) == (
        "gpt-4o",
        0.1,
        77,
        0,
    )
    assert "sub_tasks" in asked["response_format"]["json_schema"]["schema"]["properties"]
    state = dag.DAG.fold(await world.events())
    assert state.job.original_request == "Read it {{CurrentDate}}"


async def test_plans_and_attempts_are_counted(world: World, job: dict[str, Any]) -> None:
    def count() -> list[float]:
        planned = REGISTRY.get_sample_value("plans_total", {"outcome": "planned"})
        retried = REGISTRY.get_sample_value("planning_attempts_total", {"reason": "retry_parse_error"})
        return [planned or 0, retried or 0]

    world.model.says("prose", job)
    planned, retried = count()

    await world.plan()

    assert count() == [planned + 1, retried + 1]


# ── which model ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        ({}, "llama3"),
        ({"model": "gpt-4o-mini"}, "llama3"),
        ({"provider": "openai"}, "llama3"),
        ({"provider": "openai", "model": "gpt-4o-mini"}, "gpt-4o-mini"),
    ],
)
async def test_an_agents_own_model_is_used_unless_the_request_names_provider_and_model(
    world: World, job: dict[str, Any], asked: dict[str, str], used: str
) -> None:
    await world.agent("Local", "You plan.", provider="ollama", model="llama3")
    world.model.says(job)

    await world.plan(agent_name="Local", **asked)

    assert [one["model"] for one in world.asked] == [used]


@pytest.mark.parametrize("own", [{"provider": "unheard-of", "model": "m"}, {"provider": "openrouter"}])
async def test_an_agent_whose_own_model_cannot_be_called_plans_with_that_of_the_settings(
    world: World, job: dict[str, Any], own: dict[str, str]
) -> None:
    await world.agent("Astray", "You plan.", **own)
    world.model.says(job)

    await world.plan(agent_name="Astray")

    assert [one["model"] for one in world.asked] == ["gpt-4o"]


async def test_without_an_llm_the_client_is_told_what_to_set(world: World) -> None:
    await world.request()
    await world.deliver(await world.planner(world.unconfigured_llm()))

    (rejected,) = (await world.events())[1:]
    assert isinstance(rejected, Rejected)
    assert (rejected.http_status, rejected.details) == (503, {})
    assert "set LLM_PROVIDER" in rejected.error


async def test_a_provider_that_cannot_be_used_is_the_clients_fault_when_it_asked_for_it(world: World) -> None:
    await world.request(provider="openai", model="gpt-4o")
    await world.deliver(await world.planner(world.unconfigured_llm()))

    (rejected,) = (await world.events())[1:]
    assert isinstance(rejected, Rejected)
    assert (rejected.http_status, rejected.error) == (400, "Invalid LLM provider configuration")
    assert "OPENAI_API_KEY" in rejected.details["details"]


async def test_an_agent_that_is_not_active_is_not_found(world: World) -> None:
    assert await world.plan(agent_name="Nobody") == [
        Rejected(http_status=404, error="Agent 'Nobody' not found OR not active")
    ]


async def test_an_agent_activated_just_before_the_request_is_known(world: World, job: dict[str, Any]) -> None:
    world.model.says(job)
    planner = await world.planner()
    await world.agent("New", "You plan.")
    await world.request(agent_name="New")

    await world.deliver(planner)

    assert isinstance((await world.events())[-1], Planned)


async def test_a_question_is_stored_and_its_answer_planned_for(world: World, job: dict[str, Any]) -> None:
    asking = job | {"clarification_needed": True, "clarification_query": "Which file?"}
    world.model.says(asking, job)

    *_, asked = await world.plan(run_id="dag-exec_1")
    assert isinstance(asked, ClarificationAsked)
    assert asked.query == "Which file?"
    assert await world.runs("dag-exec_1") == []

    await world.happened("d1", dag.Clarified(answer="the long one"))
    await world.deliver(await world.planner())

    goal = "Read it\n\nUser clarification: the long one"
    assert world.asked[1]["messages"][-1]["content"] == goal
    state = dag.DAG.fold(await world.events())
    assert state.job.original_request == goal
    (requested,) = await world.runs("dag-exec_1")
    assert isinstance(requested, run.Requested)
    assert requested.original_request == goal


async def test_planning_waits_for_the_first_tool_to_be_published(world: World, job: dict[str, Any]) -> None:
    world.model.says(job)
    tools, world.catalogue = world.catalogue.all(), Catalogue()
    await world.request()
    delivered = asyncio.create_task(world.deliver(await world.planner(tools_patience_s=30)))

    for tool in tools:
        world.catalogue.add(tool)
    await delivered

    assert isinstance((await world.events())[-1], Planned)


async def test_without_any_tool_a_plan_can_still_think(world: World, job: dict[str, Any]) -> None:
    world.catalogue = Catalogue()
    thought = job["sub_tasks"][1] | {"dependencies": []}
    thought["tool_or_prompt"]["params"] = {"prompt": "Think of a file."}
    world.model.says(job | {"sub_tasks": [thought]})
    await world.request()

    await world.deliver(await world.planner(tools_patience_s=0.01))

    assert isinstance((await world.events())[-1], Planned)


# ── the title ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_title_is_asked_for_with_the_beginning_of_the_goal(world: World, job: dict[str, Any]) -> None:
    world.model.says(job)

    await world.plan(goal_text="long " * 1000)

    (asked,) = [one.body for one in world.server.requests if one.body not in world.asked]
    assert asked["messages"] == [
        {"role": "system", "content": "Task: Name it."},
        {"role": "user", "content": ("long " * 1000)[:2000]},
    ]


@pytest.mark.parametrize(
    ("answer", "patience_s", "error"),
    [
        (ScriptedAnswer(status=400, error="not today"), 30, "not today"),
        (ScriptedAnswer(hang=True), 0.05, "no title within 0.05 s"),
    ],
)
async def test_a_plan_comes_without_a_title_that_cannot_be_had(
    world: World, job: dict[str, Any], answer: ScriptedAnswer, patience_s: float, error: str
) -> None:
    world.model.title = answer
    world.model.says(job)
    await world.request()

    await world.deliver(await world.planner(title_patience_s=patience_s))

    *_, titled, planned = await world.events()
    assert isinstance(planned, Planned)
    assert planned.title is None
    assert isinstance(titled, AttemptMade)
    assert error in (titled.error or "")


async def test_no_title_is_made_without_a_title_agent(world: World, job: dict[str, Any]) -> None:
    world.model.says(job)
    await world.happened("TitleMaster", agent.Updated(name="Retired"), aggregate=AGENT)

    events = await world.plan()

    assert [type(event) for event in events] == [AttemptMade, Planned]
