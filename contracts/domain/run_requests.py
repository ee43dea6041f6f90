"""What is asked for when a goal is to be pursued once: a run by an agent's turns, or a plan that becomes one.

Whoever asks (the gateway for a client, the scheduler for a tick) asks by this, so that it is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.domain import dag, goal, run
from contracts.domain.awaiting_plan import plan_id
from contracts.domain.prompts.constraints import as_lines

RUN_PREFIX = "run_"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the settings say where a goal says nothing."""

    step_budget: int = 20
    planner_agent: str = "DecomposerV8"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why the goal is pursued now."""

    trigger: Literal["api", "schedule"] = "api"
    schedule_id: str | None = None
    timezone: str | None = None
    """Whose date is meant; None: the goal's."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The first event of an aggregate that is not there yet: append it, or find that it is there."""

    aggregate: Aggregate[Any]
    id: str
    event: Event


def pursue(goal_id: str, state: goal.State, run_id: str, occasion: Trigger, defaults: Defaults) -> RunRequest:
    """The request for the run `run_id` of a goal."""
    if state.params.strategy == "dag":
        return RunRequest(dag.DAG, plan_id(run_id), _plan(goal_id, state, run_id, occasion, defaults))
    return RunRequest(run.RUN, run_id, _turns(goal_id, state, occasion, defaults))


def _turns(goal_id: str, state: goal.State, occasion: Trigger, defaults: Defaults) -> run.GoalRequested:
    params = state.params
    return run.GoalRequested(
        goal_id=goal_id,
        objective=state.objective,
        step_budget=params.step_budget or defaults.step_budget,
        allowed_tools=params.allowed_tools or (),
        constraints=params.constraints or {},
        temperature=params.temperature,
        max_tokens=params.max_tokens,
        agent_id=state.agent_id,
        webhook_url=state.webhook_url,
        trigger=occasion.trigger,
        schedule_id=occasion.schedule_id,
        timezone=occasion.timezone or state.timezone,
    )


def _plan(
    goal_id: str, state: goal.State, run_id: str, occasion: Trigger, defaults: Defaults
) -> dag.Requested:
    params = state.params
    given = {"temperature": params.temperature, "max_tokens": params.max_tokens}
    constraints = as_lines(params.constraints or {})
    return dag.Requested(
        goal_text=f"{state.objective}\n\nConstraints:\n{constraints}" if constraints else state.objective,
        agent_name=defaults.planner_agent,
        run_id=run_id,
        goal_id=goal_id,
        webhook_url=state.webhook_url,
        allowed_tools=params.allowed_tools or (),
        trigger=occasion.trigger,
        timezone=occasion.timezone or state.timezone,
        **{name: value for name, value in given.items() if value is not None},
    )
