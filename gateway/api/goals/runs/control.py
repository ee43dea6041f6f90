"""Runs of goals as clients ask for them, call them off and remove them.

A run by a plan is there from the moment its plan is asked for, long before the planner asks for the run
itself. To call such a run off is to write the first event of it: the planner then finds that it has nothing
left to ask for, whatever it was doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from contracts import dag, goal, run
from contracts.dag import DAG
from contracts.event import Event
from contracts.goal import GOAL
from contracts.ids import is_id
from contracts.pursuit import Occasion, plan_id, pursue
from contracts.run import RUN
from contracts.runtime.stream import Origin, Stream, transact
from contracts.subjects import aggregate_filter
from gateway.api.goals.runs import queries
from gateway.endpoint import Call
from gateway.gateway import Gateway
from gateway.http.errors import Refusal

DEFAULT_AGENT = "defaultAgent"
"""Pursues the goals that name no agent."""
PLANLESS = frozenset({dag.Status.REJECTED, dag.Status.DELETED})
"""What becomes of a plan that its run waits for in vain."""


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
    asked = pursue(goal_id, pursued.state, run_id, Occasion(), gateway.settings.defaults)
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
    plan = await Stream.open(gateway.log, DAG, plan_id(run_id), origin)

    def decide(state: run.State) -> Sequence[Event]:
        _require_goal_run(state, plan)
        if state.status is not run.Status.ABSENT:
            return run.cancel(state, reason)
        if plan.state.status in PLANLESS:
            raise run.AlreadyFinished("the run is failed; there is nothing left to cancel")
        return [run.Cancelled(reason=reason)]

    stream = await transact(gateway.log, RUN, run_id, decide, origin)
    return max(stream.seq, await _call_off(gateway, plan, reason))


async def delete(gateway: Gateway, run_id: str, origin: Origin) -> int:
    """Remove a run; an open one is called off first. Returns the position in the log.

    Raises:
        UnknownRun: no goal has a run of this id.
    """
    plan = await Stream.open(gateway.log, DAG, plan_id(run_id), origin)

    def decide(state: run.State) -> Sequence[Event]:
        _require_goal_run(state, plan)
        return [run.Deleted()] if state.status is run.Status.ABSENT else run.delete(state)

    stream = await transact(gateway.log, RUN, run_id, decide, origin)
    return max(stream.seq, await _call_off(gateway, plan, "its run was deleted"))


async def _call_off(gateway: Gateway, plan: Stream[dag.State], reason: str) -> int:
    """Spare the planner further work; a plan that is there already stays."""
    if plan.state.status in {dag.Status.ABSENT, dag.Status.DELETED}:
        return 0
    return (await transact(gateway.log, DAG, plan.id, partial(dag.call_off, reason=reason), plan.origin)).seq


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


def _require_goal_run(state: run.State, plan: Stream[dag.State]) -> None:
    if state.goal_id is None and not plan.exists:
        raise run.UnknownRun("Run not found")


def _not_found(goal_id: str) -> Refusal:
    return Refusal(400, f"Goal not found: {goal_id}")
