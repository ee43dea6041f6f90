"""The goal of a run that is to go on, or to be forked."""

from __future__ import annotations

from contextlib import suppress

from contracts.domain import goal, run
from contracts.domain.goal import GOAL
from contracts.runtime.stream import Origin, Stream
from gateway.api.runs import cancelling
from gateway.gateway import Gateway
from gateway.http.errors import Refusal


async def active_goal(gateway: Gateway, goal_id: str, origin: Origin) -> Stream[goal.State]:
    """Return the goal. Raises Refusal unless runs of it may start."""
    pursued = await Stream.open(gateway.log, GOAL, goal_id, origin)
    _require_active(pursued.state)
    return pursued


async def require_still_active(gateway: Gateway, pursued: Stream[goal.State], run_id: str) -> None:
    """Cancel the run and raise Refusal if the goal was stopped meanwhile.

    A concurrent pause or deletion of the goal may not have seen the run.
    """
    await pursued.refresh()
    if pursued.state.is_active:
        return
    reason = "the goal was stopped at the same time"
    with suppress(run.AlreadyFinished):
        seq = await cancelling.cancel(gateway, run_id, reason, pursued.origin, lambda *_: None)
        await gateway.projected(seq)
    _require_active(pursued.state)


def _require_active(state: goal.State) -> None:
    match state.status:
        case goal.Status.ACTIVE:
            return
        case goal.Status.PAUSED:
            raise Refusal(409, "the goal of the run is paused: resume the goal first")
    raise Refusal(409, f"the goal of the run is {state.status}: the run cannot go on")
