"""Which setting is missing so that the models of a run can be called."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.domain import run
from contracts.domain.agent import DEFAULT_AGENT
from contracts.domain.model import NoModel, resolve_model
from contracts.domain.plan import SubTask
from gateway.gateway import Gateway


def llm_problem(gateway: Gateway, left: Iterable[SubTask]) -> str | None:
    """Return which setting is missing for the sub-tasks in `left`, or None.

    An inference uses the model of its agent, or else the model of the settings. The report uses the model of
    the settings, or no model.
    """
    names = {task.tool_or_prompt.name for task in left if task.is_inference}
    agents = [entry.state if (entry := gateway.agents.active(name)) else None for name in names]
    asked = [resolve_model(agent, gateway.llm_problem) for agent in agents]
    return next((one.reason for one in asked if isinstance(one, NoModel)), None)


def run_model_problem(gateway: Gateway, request: run.Requested, left: Iterable[SubTask]) -> str | None:
    """Return which setting is missing for the sub-tasks in `left` of a run, or None."""
    if request.provider or request.model:
        return gateway.llm_problem(request.provider, request.model)
    return llm_problem(gateway, left)


def goal_run_model_problem(gateway: Gateway, request: run.GoalRequested) -> str | None:
    """Return which setting is missing for the turns of a run, or None."""
    if request.provider or request.model:
        return gateway.llm_problem(request.provider, request.model)
    return agent_model_problem(gateway, request.agent_id)


def agent_model_problem(gateway: Gateway, agent_id: str | None) -> str | None:
    """Return which setting is missing for an agent's turns, or None. Without an agent: the default agent."""
    entry = gateway.agents.get(agent_id or "") or gateway.agents.active(DEFAULT_AGENT)
    asked = resolve_model(entry.state if entry else None, gateway.llm_problem)
    return asked.reason if isinstance(asked, NoModel) else None
