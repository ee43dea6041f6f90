"""Requesting, cancelling and deleting runs of goals."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from contracts.api.goals import RunGoalQuery, RunTriggered
from contracts.api.limits import OwnLimits
from contracts.core.ids import is_id
from contracts.domain import dag, goal, run
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.model import NoModel, resolve_model
from contracts.domain.run import RUN
from contracts.domain.run_requests import Trigger, plan_id, pursue
from contracts.runtime.stream import Origin, Stream
from gateway.api.runs import cancelling, queries
from gateway.api.runs.limits import narrowed
from gateway.api.runs.models import agent_model_problem
from gateway.endpoint import Call
from gateway.gateway import Gateway
from gateway.http.errors import Refusal
from gateway.views.reader import ViewsUnavailable

ANY_POSITION = 2**63 - 1
"""A position after the end of every log."""


async def trigger(call: Call[OwnLimits, RunGoalQuery], goal_id: str) -> RunTriggered:
    """Request a run of a goal.

    Raises:
        Refusal: the goal does not exist or is not active, the limits are invalid, no model can be called, or
            the maximum number of runs is in progress and the client does not want to queue.
        ViewsUnavailable: the client does not want to queue, and the number of runs is not known yet.
    """
    gateway, run_id = call.gateway, call.new_id("run_", "run")
    if call.key and await _is_asked_for(gateway, run_id):
        return _triggered(run_id)
    if not is_id(goal_id):
        raise _not_found(goal_id)
    pursued = await Stream.open(gateway.log, GOAL, goal_id, call.origin)
    _require_active(pursued)
    await _require_model(gateway, pursued.state)
    refuses = call.query.when_busy == "refuse"
    if refuses:
        _require_room(gateway, await queries.runs_ahead(gateway, ANY_POSITION))
    wanted = replace(pursued.state, params=narrowed(gateway, pursued.state.params, call.body))
    asked = pursue(goal_id, wanted, run_id, Trigger(), gateway.settings.defaults)
    first = asked.aggregate.initial
    stream = await call.create(asked.aggregate, asked.id, lambda now: [asked.event] if now == first else [])
    await pursued.refresh()
    if not pursued.state.is_active:  # a concurrent pause or deletion may not have seen the new run
        with suppress(run.AlreadyFinished):
            seq = await cancel(gateway, run_id, "the goal was stopped at the same time", call.origin)
            await gateway.projected(seq)
        _require_active(pursued)
    if refuses:
        await _require_place(call, run_id, stream.seq)
        return _triggered(run_id)
    return _triggered(run_id, await _queued_behind(gateway, stream.seq))


async def cancel(gateway: Gateway, run_id: str, reason: str, origin: Origin) -> int:
    """Cancel a run or its planning. Cancelling again changes nothing. Returns the position in the log.

    Raises:
        UnknownRun: no goal has a run with this id.
        AlreadyFinished: the run has ended.
    """
    return await cancelling.cancel(gateway, run_id, reason, origin, require_goal_run)


async def delete(gateway: Gateway, run_id: str, origin: Origin) -> int:
    """Delete a run. A run in progress is cancelled first. Returns the position in the log.

    Raises:
        UnknownRun: no goal has a run with this id.
    """
    return await cancelling.delete(gateway, run_id, origin, require_goal_run)


async def _is_asked_for(gateway: Gateway, run_id: str) -> bool:
    aggregates = (RUN.name, run_id), (DAG.name, plan_id(run_id))
    return any([await gateway.log.newest(*one) for one in aggregates])


async def _require_model(gateway: Gateway, state: goal.State) -> None:
    """Raise Refusal if neither the model of the agent nor the model of the settings can be called."""
    agents = await gateway.agents_current()
    if state.params.strategy == "dag":
        entry = agents.active(gateway.settings.default_planner_agent)
        asked = resolve_model(entry.state if entry else None, gateway.llm_problem)
        problem = asked.reason if isinstance(asked, NoModel) else None
    else:
        problem = agent_model_problem(gateway, state.agent_id)
    if problem:
        raise Refusal(503, problem)


def _triggered(run_id: str, ahead: int = 0) -> RunTriggered:
    queued = f"Run queued: {ahead} runs are ahead of it"
    return RunTriggered(run_id=run_id, message=queued if ahead else "Run triggered")


async def _queued_behind(gateway: Gateway, seq: int) -> int:
    """Return how many runs are ahead of the one requested at `seq`; 0 if it starts at once or is unknown."""
    if not await gateway.projected(seq):
        return 0
    with suppress(ViewsUnavailable):
        ahead = await queries.runs_ahead(gateway, seq)
        return ahead if ahead >= gateway.settings.max_concurrent_runs else 0
    return 0


async def _require_place(call: Call[Any, Any], run_id: str, seq: int) -> None:
    """Cancel a run that exceeds the limit.

    Runs count in the order of their requests in the log. So the limit is exact, even if several gateways
    receive requests at the same time.
    """
    gateway = call.gateway
    try:
        if not await gateway.projected(seq):
            raise ViewsUnavailable("the number of runs in progress is not known yet: try again in a moment")
        _require_room(gateway, await queries.runs_ahead(gateway, seq))
    except (Refusal, ViewsUnavailable):
        await gateway.projected(await delete(gateway, run_id, call.origin))
        raise


def _require_room(gateway: Gateway, ahead: int) -> None:
    most = gateway.settings.max_concurrent_runs
    if ahead >= most:
        raise Refusal(400, f"Maximum concurrent runs ({most}) exceeded. Current active runs: {ahead}")


def _require_active(pursued: Stream[goal.State]) -> None:
    if pursued.state.status in {goal.Status.ABSENT, goal.Status.DELETED}:
        raise _not_found(pursued.id)
    if not pursued.state.is_active:
        raise Refusal(400, f"Goal is not active: {pursued.id}")


def require_goal_run(state: run.State, plan: dag.State) -> None:
    """Raise UnknownRun if the run belongs to no goal."""
    if state.goal_id is None and not (plan.request and plan.request.goal_id):
        raise run.UnknownRun("Run not found")


def _not_found(goal_id: str) -> Refusal:
    return Refusal(400, f"Goal not found: {goal_id}")
