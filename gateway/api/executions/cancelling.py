"""Calling runs off and removing them, whether they are there already or still wait for their plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from contracts.core.event import Event
from contracts.domain import awaiting_plan, dag, run
from contracts.domain.awaiting_plan import plan_id
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from contracts.runtime.stream import Origin, Stream, transact
from gateway.gateway import Gateway

Require = Callable[[run.State, dag.State], None]
"""Raises UnknownRun for a run, and the plan it is made of, of a kind that is not meant."""


async def cancel(gateway: Gateway, run_id: str, reason: str, origin: Origin, require: Require) -> int:
    """Call a run off, or the planning of it; twice is nothing. Returns the position in the log.

    Raises:
        UnknownRun: there is none of this id, and none waits for its plan.
        AlreadyFinished: it has ended.
    """
    plan = await Stream.open(gateway.log, DAG, plan_id(run_id), origin)

    def decide(state: run.State) -> Sequence[Event]:
        require(state, plan.state)
        return awaiting_plan.cancel(run_id, state, plan.state, reason)

    stream = await transact(gateway.log, RUN, run_id, decide, origin)
    return max(stream.seq, await _call_off(gateway, plan, reason))


async def delete(gateway: Gateway, run_id: str, origin: Origin, require: Require) -> int:
    """Remove a run; an open one is called off first. Returns the position in the log.

    Raises:
        UnknownRun: there is none of this id, and none waits for its plan.
    """
    plan = await Stream.open(gateway.log, DAG, plan_id(run_id), origin)

    def decide(state: run.State) -> Sequence[Event]:
        require(state, plan.state)
        return awaiting_plan.delete(run_id, state, plan.state)

    stream = await transact(gateway.log, RUN, run_id, decide, origin)
    return max(stream.seq, await _call_off(gateway, plan, "its run was deleted"))


async def _call_off(gateway: Gateway, plan: Stream[dag.State], reason: str) -> int:
    """Spare the planner further work; a plan that is there already stays."""
    if plan.state.status in {dag.Status.ABSENT, dag.Status.DELETED}:
        return 0
    return (await transact(gateway.log, DAG, plan.id, partial(dag.call_off, reason=reason), plan.origin)).seq
