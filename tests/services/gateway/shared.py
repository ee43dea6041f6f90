"""What tests of several resources need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from contracts.core.tool import Effect, ToolSpec
from contracts.domain import agent, dag, goal, run
from contracts.llm import LlmSettings
from tests import jobs

if TYPE_CHECKING:
    from tests.services.conftest import Api

LLM = LlmSettings(_env_file=None, llm_provider="ollama", llm_model="m")
"""A model is configured, and none of these tests asks it."""
UNKNOWN_IDS = ("nope", "a.b", "*", ">", "a b", "x" * 65)
"""What nothing is called, or could be."""


async def add_agent(api: Api, name: str = "Planner", **given: Any) -> None:
    """The agent `a1`, active."""
    created = agent.Created(name=name, version_name="1", prompt_template="p", **given)
    await api.write(agent.AGENT, "a1", created, agent.Activated(name=name))


async def add_default_agents(api: Api) -> None:
    """The agents that the services use by themselves, as a planner creates them. Each is one commit."""
    for name in agent.ESSENTIAL_AGENTS:
        created = agent.Created(name=name, version_name="1", prompt_template="p")
        await api.write(agent.AGENT, agent.agent_id(name, "1"), created, agent.Activated(name=name))
    await api.gateway.agents_current()


async def add_one_of_everything(api: Api) -> None:
    """An agent, a tool, a DAG with a plan that calls it, an execution and a goal."""
    api.gateway.catalogue.add(ToolSpec(name="noop", description="", parameters={}, effect=Effect.READ))
    await add_agent(api)
    job = jobs.job()
    await api.write(dag.DAG, "d1", dag.Imported(job=job, title="T"))
    await api.write(run.RUN, "e1", run.Requested(dag_id="d1", original_request="do it", job=job))
    await api.write(goal.GOAL, "g1", goal.Created(objective="reach something", agent_id="a1"))


def keys_of(model: type) -> list[str]:
    """What an answer of this type has, in its order."""
    return list(TypeAdapter(model).json_schema(mode="serialization")["properties"])
