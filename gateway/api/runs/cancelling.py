"""Cancels and deletes runs, including runs that wait for their plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from contracts.core.event import Event
from contracts.domain import dag, run, run_requests
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_id
from contracts.runtime.stream import Origin, Stream, transact
from gateway.gateway import Gateway

Require = Callable[[run.State, dag.State], None]
"""Raises UnknownRun if a run belongs to another resource. Takes the run and the plan that it may wait for."""

Decide = Callable[[str, run.State, dag.State], Sequence[Event]]


async def cancel(gateway: Gateway, run_id: str, reason: str, origin: Origin, require: Require) -> int:
    """Cancel a run or its planning. Cancelling again changes nothing. Returns the position in the log.

    Raises:
        UnknownRun: the run does not exist.
        AlreadyFinished: the run has ended.
    """
    return await _stop(gateway, run_id, reason, origin, require, partial(run_requests.cancel, reason=reason))


async def delete(gateway: Gateway, run_id: str, origin: Origin, require: Require) -> int:
    """Delete a run. A run in progress is cancelled first. Returns the position in the log.

    Raises:
        UnknownRun: the run does not exist.
    """
    return await _stop(gateway, run_id, "its run was deleted", origin, require, run_requests.delete)


async def _stop(
    gateway: Gateway, run_id: str, reason: str, origin: Origin, require: Require, decide: Decide
) -> int:
    plan = await Stream.open(gateway.log, DAG, plan_id(run_id), origin)

    def decided(state: run.State) -> Sequence[Event]:
        require(state, plan.state)
        return decide(run_id, state, plan.state)

    stream = await transact(gateway.log, RUN, run_id, decided, origin)
    return max(stream.seq, await _stop_planning(gateway, plan, reason))


async def _stop_planning(gateway: Gateway, plan: Stream[dag.State], reason: str) -> int:
    """Stop the planner. A finished plan is kept."""
    if plan.state.status in {dag.Status.ABSENT, dag.Status.DELETED}:
        return 0
    decide = partial(dag.cancel_planning, reason=reason)
    return (await transact(gateway.log, DAG, plan.id, decide, plan.origin)).seq
