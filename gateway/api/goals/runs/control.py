"""Runs of goals as clients ask for them, call them off and remove them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from contracts.core.ids import is_id
from contracts.core.subjects import aggregate_filter
from contracts.domain import dag, goal, run
from contracts.domain.awaiting_plan import plan_id
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.run import RUN
from contracts.domain.run_requests import Trigger, pursue
from contracts.runtime.stream import Origin, Stream
from gateway.api.executions import cancelling
from gateway.api.goals.runs import queries
from gateway.endpoint import Call
from gateway.gateway import Gateway
from gateway.http.errors import Refusal

DEFAULT_AGENT = "defaultAgent"
"""Pursues the goals that name no agent."""


async def trigger(call: Call[Any, Any], goal_id: str) -> str:
    """Ask for a run of a goal; returns its id.

    Raises:
        Refusal: the goal is not there or not active, too many runs are going on, or no model can be called.
        ViewsUnavailable: whether there is room for another run is not known.
    """
    gateway, run_id = call.gateway, call.new_id("run_", "run")
    if call.key and await _is_asked_for(gateway, run_id):
        return run_id
    if not is_id(goal_id):
        raise _not_found(goal_id)
    pursued = await Stream.open(gateway.log, GOAL, goal_id, call.origin)
    _require_active(pursued)
    await _require_model(gateway, pursued.state)
    await _require_room(gateway)
    asked = pursue(goal_id, pursued.state, run_id, Trigger(), gateway.settings.defaults)
    first = asked.aggregate.initial
    stream = await call.create(asked.aggregate, asked.id, lambda now: [asked.event] if now == first else [])
    await pursued.refresh()
    if not pursued.state.is_active:  # or whoever put it away, or deleted it, might have missed the new run
        with suppress(run.AlreadyFinished):
            seq = await cancel(gateway, run_id, "the goal was stopped at the same time", call.origin)
            await gateway.projected(seq)
        _require_active(pursued)
    await gateway.projected(stream.seq)
    return run_id


async def cancel(gateway: Gateway, run_id: str, reason: str, origin: Origin) -> int:
    """Call a run off, or the planning of it; twice is nothing. Returns the position in the log.

    Raises:
        UnknownRun: no goal has a run of this id.
        AlreadyFinished: it has ended.
    """
    return await cancelling.cancel(gateway, run_id, reason, origin, _require_goal_run)


async def delete(gateway: Gateway, run_id: str, origin: Origin) -> int:
    """Remove a run; an open one is called off first. Returns the position in the log.

    Raises:
        UnknownRun: no goal has a run of this id.
    """
    return await cancelling.delete(gateway, run_id, origin, _require_goal_run)


async def _is_asked_for(gateway: Gateway, run_id: str) -> bool:
    filters = aggregate_filter(RUN.name, run_id), aggregate_filter(DAG.name, plan_id(run_id))
    return await gateway.log.last_seq(*filters) > 0


async def _require_model(gateway: Gateway, state: goal.State) -> None:
    """Where the model of the agent that pursues the goal cannot be called, that of the settings has to be."""
    agents = await gateway.agents_current()
    if state.params.strategy == "dag":
        entry = agents.active(gateway.settings.default_planner_agent)
    else:
        entry = agents.get(state.agent_id or "") or agents.active(DEFAULT_AGENT)
    own = entry and gateway.llm_problem(entry.state.provider, entry.state.model) is None
    if not own and (problem := gateway.llm_problem()):
        raise Refusal(503, problem)


async def _require_room(gateway: Gateway) -> None:
    most, running = gateway.settings.max_concurrent_runs, await queries.number_running(gateway)
    if running >= most:
        raise Refusal(400, f"Maximum concurrent runs ({most}) exceeded. Current active runs: {running}")


def _require_active(pursued: Stream[goal.State]) -> None:
    if pursued.state.status in {goal.Status.ABSENT, goal.Status.DELETED}:
        raise _not_found(pursued.id)
    if not pursued.state.is_active:
        raise Refusal(400, f"Goal is not active: {pursued.id}")


def _require_goal_run(state: run.State, plan: dag.State) -> None:
    if state.goal_id is None and not (plan.request and plan.request.goal_id):
        raise run.UnknownRun("Run not found")


def _not_found(goal_id: str) -> Refusal:
    return Refusal(400, f"Goal not found: {goal_id}")
