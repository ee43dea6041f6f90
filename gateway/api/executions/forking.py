"""Forks executions, and runs of goals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.api.forks import ForkRun
from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.run import RUN, ForkedFrom
from contracts.runtime.stream import Stream
from gateway.api.executions.fork_validation import agent_named, require_executable
from gateway.api.runs.goal_of_run import active_goal, require_still_active
from gateway.endpoint import Call
from gateway.gateway import Gateway
from gateway.http.errors import INVALID_BODY, Refusal
from gateway.views.presenting import JsonRow

REFERENCE = "$blob"
"""Key of an object that refers to the object store."""

Require = Callable[[run.State], None]
"""Raises Refusal if a run cannot be forked as this resource."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A requested fork."""

    id: str
    state: run.State
    inherited: int
    """Number of steps or turns that it inherits."""

    @property
    def row(self) -> JsonRow:
        """What the answers about executions and runs of goals share."""
        origin = self.state.forked_from
        return {
            "status": "replaced" if origin and origin.replaces else "forked",
            "forkedFrom": origin and origin.run_id,
            "inheritedSteps": self.inherited,
        }


async def fork(call: Call[Any, None], run_id: str, fork_id: str, wanted: ForkRun, require: Require) -> Fork:
    """Request a fork of a run, unless an earlier attempt of this request did so. Waits for the views.

    The changes are validated before anything is written. If the fork replaces the original, the original is
    cancelled first, so that never both go on. A repeated request with the same key then creates the fork.

    Raises:
        Refusal: the changes are invalid, the goal is not active, or no model or tool is there.
        UnknownRun: there is no such run.
    """
    gateway = call.gateway
    if made := await call.made_before(RUN, fork_id):
        return _fork(made)
    await gateway.agents_current()
    wanted = await _with_stored_results(gateway, wanted)

    def decide(state: run.State) -> Sequence[Event]:
        if state.replaced_by != fork_id:
            require(state)
        return _first_events(call, run_id, wanted, state)

    original = await Stream.open(gateway.log, RUN, run_id, call.origin)
    events = decide(original.state)
    goal_id = original.state.goal_id
    pursued = await active_goal(gateway, goal_id, call.origin) if goal_id else None
    await require_executable(gateway, events, wanted)
    if wanted.replace:
        events = await _replace(original, fork_id, decide, gateway.clock)
    created = await call.create(RUN, fork_id, lambda state: events if state == RUN.initial else [])
    if pursued:
        await require_still_active(gateway, pursued, fork_id)
    await gateway.projected(created.seq)
    return _fork(created)


async def _with_stored_results(gateway: Gateway, wanted: ForkRun) -> ForkRun:
    """Move given results that are large to the object store.

    Raises:
        Refusal: a result looks like a reference to the object store.
    """
    steps = dict(wanted.steps or {})
    for id_, change in steps.items():
        if isinstance(change.result, dict) and REFERENCE in change.result:
            message = f"the key {REFERENCE!r} is reserved for large values: rename it"
            raise _invalid(run.InvalidFork(("steps", id_, "result"), message))
        if change.result is not None:
            stored = await gateway.blobs.store_if_large(change.result)
            steps[id_] = change.model_copy(update={"result": stored})
    return wanted.model_copy(update={"steps": steps}) if steps else wanted


def _first_events(call: Call[Any, None], run_id: str, wanted: ForkRun, state: run.State) -> Sequence[Event]:
    agent = agent_named(call.gateway, wanted.agent, as_id=state.loop is not None)
    origin = ForkedFrom(run_id=run_id, replaces=wanted.replace)
    try:
        return run.fork(state, wanted.as_changes(agent), origin, call.gateway.clock())
    except run.InvalidFork as error:
        raise _invalid(error) from error


async def _replace(
    original: Stream[run.State],
    fork_id: str,
    decide: Callable[[run.State], Sequence[Event]],
    clock: Callable[[], datetime],
) -> Sequence[Event]:
    """Cancel the original. Returns the first events of the fork as of that moment."""
    events: Sequence[Event] = ()

    def cancelled(state: run.State) -> Sequence[Event]:
        nonlocal events
        events = decide(state)
        try:
            return run.replace(state, fork_id, clock())
        except run.InvalidFork as error:
            raise _invalid(error) from error

    await original.decide(cancelled)
    return events


def _fork(stream: Stream[run.State]) -> Fork:
    state = stream.state
    return Fork(stream.id, state, len(state.loop.turns) if state.loop else len(state.done))


def _invalid(error: run.InvalidFork) -> Refusal:
    issue = {"code": "custom", "path": list(error.path), "message": str(error)}
    return Refusal(400, INVALID_BODY, validation_errors=[issue])
