"""The agents every installation starts with."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.core.tool import Effect, ToolSpec
from contracts.domain.agent import DEFAULT_AGENTS
from contracts.domain.plan import Job, problems
from contracts.domain.plan.schema import NOT_PLANNED
from contracts.llm.written import objects_in
from planner.default_agents import default_agents

AGENTS = {agent.name: agent for agent in default_agents()}
PLANNERS = ["DecomposerV8", "DecomposerV7"]


def tool(name: str, **properties: dict[str, Any]) -> ToolSpec:
    return ToolSpec(
        name=name,
        description=name,
        parameters={"type": "object", "properties": properties, "additionalProperties": False},
        effect=Effect.READ,
    )


def test_every_agent_that_clients_ask_for_by_name_is_there() -> None:
    assert AGENTS.keys() == DEFAULT_AGENTS
    assert list(AGENTS) == [
        "defaultAgent",
        *PLANNERS,
        "TitleMaster",
        "inference",
        "ParaphrasePro",
        "SketchMentor",
        "Checker",
    ]


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_says_what_it_is_for_and_who_made_it(name: str) -> None:
    agent = AGENTS[name]
    assert agent.version == "1.0.0"
    assert agent.metadata == {"description": agent.description, "createdBy": "system"}
    assert agent.prompt_template
    assert agent.prompt_template == agent.prompt_template.strip()


@pytest.mark.parametrize("name", PLANNERS)
def test_a_planner_gets_tools_and_date_and_asks_for_every_key_of_a_job(name: str) -> None:
    text = AGENTS[name].prompt_template
    assert "{{tools}}" in text
    assert "{{currentDate}}" in text
    asked = Job.model_fields.keys() - NOT_PLANNED
    assert [field for field in asked if f'"{field}"' not in text] == []


@pytest.mark.parametrize("name", PLANNERS)
def test_the_example_in_a_planners_prompt_is_itself_a_sound_job(name: str) -> None:
    job = Job.model_validate(next(objects_in(AGENTS[name].prompt_template)))
    tools = {
        "webSearch": tool("webSearch", query={"type": "string"}, limit={"type": "integer"}),
        "fetchURLs": tool("fetchURLs", urls={"type": "array"}),
    }
    assert problems(job, tools, agents=AGENTS) == []


@pytest.mark.parametrize(
    "name", ["objective", "toolsList", "workingMemory", "stepsRemaining", "constraints", "currentDate"]
)
def test_the_default_agent_is_told_all_it_works_with(name: str) -> None:
    assert f"{{{{{name}}}}}" in AGENTS["defaultAgent"].prompt_template


def test_the_title_agent_is_asked_for_a_title() -> None:
    assert "title" in AGENTS["TitleMaster"].prompt_template


def test_the_checker_is_asked_for_its_keys() -> None:
    assert set(next(objects_in(AGENTS["Checker"].prompt_template))) == {
        "status",
        "summary",
        "questions",
        "fulfillment",
    }
