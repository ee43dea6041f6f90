"""Requests, cancels and deletes runs of plans and of goals.

A run of a goal by an agent is requested directly. A run of a goal by a plan begins with the request for the
plan; when the plan is made, the planner requests the run. Until then the run waits for its plan. To cancel or
delete a waiting run, the first event of the run is written; the planner then finds that the run exists and
does not request it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.core.ids import derived_id
from contracts.domain import dag, goal, run
from contracts.domain.agent import PLANNER_AGENT
from contracts.domain.plan import Job
from contracts.domain.prompts.constraints import as_lines

RUN_PREFIX = "run_"

PLANLESS = frozenset({dag.Status.REJECTED, dag.Status.DELETED})
"""Statuses of plans whose run will never be requested."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for parameters that a goal does not set."""

    step_budget: int = 20
    planner_agent: str = PLANNER_AGENT


class GoalSettings(BaseModel):
    """Settings of the services that request or execute runs of goals."""

    default_step_budget: int = Field(default=20, ge=1)
    """Maximum turns of a run if the goal has no `stepBudget`."""
    max_concurrent_runs: int = Field(default=3, ge=1)
    """Maximum goal runs in progress: in one executor, and in total before new requests are refused."""
    default_planner_agent: str = PLANNER_AGENT
    """Name of the agent that plans goals with the strategy `dag`."""

    @property
    def defaults(self) -> Defaults:
        """Values for parameters that a goal does not set."""
        return Defaults(self.default_step_budget, self.default_planner_agent)


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why a run of a goal is requested."""

    trigger: Literal["api", "schedule"] = "api"
    schedule_id: str | None = None
    timezone: str | None = None
    """IANA time zone of the dates in the goal; None: the time zone of the goal."""
    paid_by: str | None = None
    """The actor who pays for the models; None: who requests the run."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The first event of an aggregate. If the aggregate exists, the run was requested before."""

    aggregate: Aggregate[Any]
    id: str
    event: Event
    becomes: Any = None
    """The state of the aggregate after `event`; None: not computed yet."""


def plan_id(run_id: str) -> str:
    """The id of the DAG that is planned for the run."""
    return derived_id("", run_id, "plan")


def plan_request(
    dag_id: str,
    plan: dag.State,
    job: Job,
    trigger: Literal["api", "plan", "schedule"],
    timezone: str | None = None,
    paid_by: str | None = None,
) -> run.Requested:
    """The request to execute `job`, the plan of the DAG `dag_id`. `timezone` None: the time zone of the DAG.
    `paid_by` None: who requests the run pays.

    The run belongs to the goal of the DAG only if the plan was made for it (`trigger` is `plan`).
    """
    asked = plan.request if trigger == "plan" else None
    return run.Requested(
        dag_id=dag_id,
        dag_title=plan.title,
        original_request=plan.goal_text or job.original_request,
        job=job,
        trigger=trigger,
        goal_id=asked and asked.goal_id,
        webhook_url=asked and asked.webhook_url,
        webhook_events=asked.webhook_events if asked else ("ended",),
        timezone=timezone or plan.timezone,
        untrusted_plan=plan.is_untrusted,
        planning=plan.spent.as_spent if trigger == "plan" else None,
        paid_by=paid_by,
    )


def pursue(goal_id: str, state: goal.State, run_id: str, trigger: Trigger, defaults: Defaults) -> RunRequest:
    """The request for the run `run_id` of a goal."""
    if state.params.strategy == "dag":
        return RunRequest(dag.DAG, plan_id(run_id), _plan(goal_id, state, run_id, trigger, defaults))
    return RunRequest(run.RUN, run_id, _turns(goal_id, state, trigger, defaults))


def awaits(run_id: str, plan: dag.State) -> bool:
    """Whether the plan is made for the run."""
    return plan.request is not None and plan.request.run_id == run_id


def status(run_id: str, state: run.State, plan: dag.State) -> run.Status:
    """The status of a run that may wait for its plan; ABSENT if there is no such run."""
    if state.status is not run.Status.ABSENT or not awaits(run_id, plan):
        return state.status
    return run.Status.FAILED if plan.status in PLANLESS else run.Status.PENDING


def cancel(run_id: str, state: run.State, plan: dag.State, reason: str) -> list[Event]:
    """Cancel a run, or a run that waits for its plan. Returns no events if the run is already cancelled.

    Raises:
        UnknownRun: there is no such run.
        AlreadyFinished: the run has ended, or its plan was rejected or deleted.
    """
    match status(run_id, state, plan):
        case run.Status.PENDING if state.status is run.Status.ABSENT:
            return [run.Cancelled(reason=reason)]
        case run.Status.FAILED:
            raise run.AlreadyFinished("the run is failed; there is nothing left to cancel")
    return run.cancel(state, reason)


def delete(run_id: str, state: run.State, plan: dag.State) -> list[Event]:
    """Delete a run, or a run that waits for its plan.

    Raises:
        UnknownRun: there is no such run.
    """
    waited = state.status is run.Status.ABSENT and awaits(run_id, plan)
    return [run.Deleted()] if waited else run.delete(state)


def _turns(goal_id: str, state: goal.State, trigger: Trigger, defaults: Defaults) -> run.GoalRequested:
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
        webhook_events=state.webhook_events,
        trigger=trigger.trigger,
        schedule_id=trigger.schedule_id,
        timezone=trigger.timezone or state.timezone,
        outward_calls=params.outward_calls,
        budget=params.budget,
        approvals=params.approvals,
        paid_by=trigger.paid_by,
    )


def _plan(
    goal_id: str, state: goal.State, run_id: str, trigger: Trigger, defaults: Defaults
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
        webhook_events=state.webhook_events,
        allowed_tools=params.allowed_tools or (),
        trigger=trigger.trigger,
        timezone=trigger.timezone or state.timezone,
        outward_calls=params.outward_calls,
        budget=params.budget,
        approvals=params.approvals,
        paid_by=trigger.paid_by,
        **{name: value for name, value in given.items() if value is not None},
    )
