"""Reads the attempts at a step from the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from contracts.api.attempts import StepAttempts
from contracts.api.executions import Inherited
from contracts.core.commit import Commit, all_events
from contracts.core.unread import readable
from contracts.domain import run
from contracts.domain.run import RUN, SUMMARY, InvalidFork, Loop, call_step
from contracts.domain.run.fork_changes import resolved
from gateway.api.runs.attempts import attempts_at
from gateway.gateway import Gateway
from gateway.http.errors import Refusal


async def attempts_of(gateway: Gateway, run_id: str, step: str) -> tuple[run.State, StepAttempts | None]:
    """Return the run, and the attempts at one of its steps; None if there is no such run.

    Raises:
        Refusal: the run has no such step.
        Unavailable: the log could not be reached.
    """
    commits = [one.commit for one in await gateway.log.read(RUN.name, run_id)]
    state = RUN.fold(readable(all_events(commits)))
    if state.status in {run.Status.ABSENT, run.Status.DELETED}:
        return state, None
    try:
        id_ = resolved((), step, dict.fromkeys(_steps(state)))
    except InvalidFork as error:
        raise Refusal(404, str(error)) from None
    attempts = list(attempts_at(id_, commits))
    return state, StepAttempts(step=id_, inherited=_inherited(commits, id_), attempts=attempts)


def _steps(state: run.State) -> Iterator[str]:
    yield from state.graph.steps
    if state.loop:
        yield from _steps_of(state.loop)


def _steps_of(loop: Loop) -> Iterator[str]:
    for turn in loop.turns:
        yield turn.taken.step
        yield from (call_step(turn.number, n) for n in range(len(turn.taken.calls)))
    yield SUMMARY


def _inherited(commits: Sequence[Commit], step: str) -> Inherited | None:
    """Where a fork has the result of the step from; None if it ran the step."""
    for event in all_events(commits[:1]):
        if isinstance(event, run.Inherited):
            given = _given_in(event).get(step)
            return None if given is None else "given" if given else "original"
    return None


def _given_in(event: run.Inherited) -> dict[str, bool]:
    """Whether the result was given with the fork, by inherited step, turn and call."""
    of = {one.step: one.given for one in event.steps}
    for number, turn in enumerate(event.turns, start=1):
        of[str(number)] = False
        of |= {call_step(number, one.position): one.given for one in turn.answers}
    return of
