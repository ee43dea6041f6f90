"""Reads the attempts at a step, and their prompts, from the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contracts.api.attempts import StepAttempts, StepPrompt
from contracts.api.executions import Inherited
from contracts.core.commit import Commit, all_events
from contracts.core.event import Json
from contracts.core.unread import readable
from contracts.domain import run
from contracts.domain.run import RUN, SUMMARY, InvalidFork, Loop, call_step
from contracts.domain.run.fork_changes import resolved
from gateway.api.runs.attempts import Attempts, attempts_at
from gateway.gateway import Gateway
from gateway.http.errors import Refusal

NAMED: dict[str, Json] = {"model": "", "messages": [], "tools": []}
"""Parts of a request to a model that are not its parameters, and their defaults."""


@dataclass(frozen=True, slots=True)
class StepHistory:
    """A step of a run, and what was tried."""

    run: run.State
    step: str
    inherited: Inherited | None
    attempts: Attempts

    @property
    def row(self) -> StepAttempts:
        """The history as clients see it."""
        return StepAttempts(step=self.step, inherited=self.inherited, attempts=self.attempts.rows)


async def history_of(gateway: Gateway, run_id: str, step: str) -> StepHistory | None:
    """Return the attempts at a step of a run; None if there is no such run.

    Raises:
        Refusal: the run has no such step.
        Unavailable: the log could not be reached.
    """
    commits = [one.commit for one in await gateway.log.read(RUN.name, run_id)]
    state = RUN.fold(readable(all_events(commits)))
    if state.status in {run.Status.ABSENT, run.Status.DELETED}:
        return None
    try:
        id_ = resolved((), step, dict.fromkeys(_steps(state)))
    except InvalidFork as error:
        raise Refusal(404, str(error)) from None
    return StepHistory(state, id_, _inherited(commits, id_), attempts_at(id_, commits))


async def prompt_of(gateway: Gateway, history: StepHistory, number: int | None) -> StepPrompt:
    """Return what an attempt sent to a model; None: the last one that asked a model.

    Raises:
        Refusal: there is no such attempt, or it has no prompt.
        BlobLost: the object store has lost it.
        Unavailable: the object store could not be reached.
    """
    rows, prompts = history.attempts.rows, history.attempts.prompts
    wanted = number or max(prompts, default=len(rows))
    if number is not None and number > len(rows):
        raise Refusal(404, f"Step {history.step} has {len(rows)} attempts, so there is no attempt {number}")
    if wanted not in prompts:
        raise Refusal(404, _no_prompt(history, wanted))
    sent = await gateway.blobs.get_json(prompts[wanted])
    parameters = {name: value for name, value in sent.items() if name not in NAMED}
    named = {name: sent.get(name, default) for name, default in NAMED.items()}
    return StepPrompt(step=history.step, attempt=wanted, **named, parameters=parameters)


def _no_prompt(history: StepHistory, number: int) -> str:
    if history.inherited:
        return f"Step {history.step} is inherited: its prompt is in the run that was forked"
    if not number:
        return f"Step {history.step} has not started"
    if history.attempts.rows[number - 1].outcome == "running":
        return f"Attempt {number} at step {history.step} is in progress; its prompt can be read at its end"
    return f"Attempt {number} at step {history.step} asked no model, or is older than the record of prompts"


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
