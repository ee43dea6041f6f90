"""How each event changes the state of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.core.tool import Effect
from contracts.domain.run.ask_events import Answered, Asked, AskExpired, Continued, Waiting
from contracts.domain.run.asks import Closed
from contracts.domain.run.events import (
    Cancelled,
    Completed,
    Deleted,
    Requested,
    Resumed,
    Started,
    StepCompleted,
    StepFailed,
    StepsStarted,
    Suspended,
    TakenOver,
)
from contracts.domain.run.goal_events import (
    SUMMARY,
    CallAnswered,
    Failed,
    GoalRequested,
    GoalStarted,
    Summarised,
    TurnTaken,
)
from contracts.domain.run.loop import CUT_SHORT, CallResult, Loop, call_result_of
from contracts.domain.run.state import State, Status
from contracts.domain.run.steps import Graph, Step, graph_of, unknown_outcome


def evolve(state: State, event: Event) -> State:  # noqa: C901, PLR0911, PLR0912  one transition a line
    """The state after `event`. Never raises."""
    match event:
        case StepCompleted():
            return _completed(state, event)
        case StepsStarted():
            return _steps_started(state, event)
        case StepFailed():
            return _failed(state, event)
        case Requested():
            graph = graph_of(event.job)
            return State(Status.PENDING, request=event, graph=graph, ready=graph.roots)
        case Started():
            return state._replace(
                status=Status.RUNNING,
                executor=event.executor,
                started_at=event.at,
                synthesis=event.synthesis,
            )
        case TakenOver():
            return state._replace(
                executor=event.executor, takeovers=state.takeovers + (1 if state.running else 0)
            )
        case Suspended():
            return _suspended(state, event)
        case Resumed():
            return _resumed(state)
        case Cancelled():
            return _stopped(state, Status.CANCELLED)
        case Completed():
            loop = state.loop and replace(state.loop, outcome_reason=event.outcome_reason)
            return state._replace(status=Status.COMPLETED, executor=None, loop=loop)
        case Deleted():
            return State(Status.DELETED, request=state.request, loop=state.loop)
        case GoalRequested():
            wanted = Loop(event)
            return _with_ready_steps(State(Status.PENDING), wanted, wanted.next_step())
        case Asked() | Answered() | AskExpired() | Waiting() | Continued():
            return _asking(state, event)
    return _looped(state, state.loop, event) if state.loop else state


def _completed(state: State, event: StepCompleted) -> State:
    done = {**state.done, event.step: event.result}
    freed = state.graph.freed_by(event.step, done)
    return state._replace(
        done=done,
        outputs=(*state.outputs, event.output) if event.output else state.outputs,
        ready=state.ready + freed if freed else state.ready,
        running=_without(state.running, event.step),
        takeovers=0,
    )


def _steps_started(state: State, event: StepsStarted) -> State:
    attempts = {step: state.attempts.get(step, 0) + 1 for step in event.steps}
    started = frozenset(event.steps)
    return state._replace(
        ready=tuple(step for step in state.ready if step not in started),
        running={**state.running, **attempts},
        effects={**_of(state.running, state.effects), **event.effects},
        retrying={s: at for s, at in state.retrying.items() if s not in started} if state.retrying else {},
        attempts={**state.attempts, **attempts},
    )


def _failed(state: State, event: StepFailed) -> State:
    state = state._replace(
        running=_without(state.running, event.step),
        failures={**state.failures, event.step: state.failures.get(event.step, 0) + 1},
    )
    if event.retry_at:
        return state._replace(retrying={**state.retrying, event.step: event.retry_at})
    if state.loop:
        return _failed_for_good(state, state.loop, event)
    return state._replace(failed={**state.failed, event.step: event.error})


def _resumed(state: State) -> State:
    """Failed and repeatable steps run again. Steps in progress that are not repeatable fail."""
    repeatable = (step for step in state.running if state.is_repeatable(step))
    again = (*state.failed, *repeatable, *state.retrying)
    return state._replace(
        status=Status.PENDING,
        ready=(*state.ready, *again),
        running={},
        retrying={},
        failed={s: unknown_outcome(state.graph.steps[s]) for s in state.running if s not in again},
        failures={},
        takeovers=0,
        resumes=state.resumes + 1,
        started_at=None,
        suspended=None,
        asks=state.asks.without_refusals(),
    )


# ── questions to a person ───────────────────────────────────────────────────────────────────────────────


def _asking(state: State, event: Asked | Closed | Waiting | Continued) -> State:
    match event:
        case Asked():
            running = _without(state.running, event.step)
            return state._replace(running=running, takeovers=0, asks=state.asks.with_open(event))
        case Waiting():
            return state._replace(status=Status.WAITING, executor=None)
        case Continued():
            return state._replace(status=Status.RUNNING, executor=event.executor, started_at=event.at)
    return _closed(state, event)


def _closed(state: State, event: Closed) -> State:
    """The step runs again. A run that waits is continued."""
    is_waiting = state.status is Status.WAITING
    return state._replace(
        status=Status.PENDING if is_waiting else state.status,
        ready=(*state.ready, event.step),
        asks=state.asks.with_closed(event),
    )


def _suspended(state: State, event: Suspended) -> State:
    """Open questions are withdrawn. Their steps ask again after a resume."""
    return state._replace(
        status=Status.SUSPENDED,
        executor=None,
        suspended=event.reason,
        ready=(*state.ready, *state.asks.open),
        asks=state.asks.withdrawn(),
    )


def _stopped(state: State, status: Status) -> State:
    """No step goes on, and open questions are withdrawn."""
    asks = state.asks.withdrawn()
    return state._replace(status=status, executor=None, running={}, retrying={}, asks=asks)


def _of(steps: Mapping[str, int], effects: Mapping[str, Effect]) -> Mapping[str, Effect]:
    return {step: effect for step, effect in effects.items() if step in steps} if effects else {}


def _without(mapping: Mapping[str, int], key: str) -> Mapping[str, int]:
    return {k: v for k, v in mapping.items() if k != key}


# ── goal runs ───────────────────────────────────────────────────────────────────────────────────────────


def _looped(state: State, loop: Loop, event: Event) -> State:
    match event:
        case GoalStarted():
            loop = replace(loop, started=event)
            return state._replace(
                status=Status.RUNNING, executor=event.executor, started_at=event.at, loop=loop
            )
        case TurnTaken():
            loop = loop.with_turn(event)
            steps = loop.calls() or (loop.next_step(),)
            return _progressed(_with_ready_steps(state, loop, *steps), event.step)
        case CallAnswered():
            return _progressed(_answered(state, loop, event.step, call_result_of(event)), event.step)
        case Summarised():
            cut = event.finish_reason in CUT_SHORT
            loop = replace(loop, summary=event.summary, summary_cut=cut)
            return _progressed(state._replace(loop=loop), SUMMARY)
        case Failed():
            loop = replace(loop, error=event.error)
            return _stopped(state._replace(loop=loop), Status.FAILED)
    return state


def _failed_for_good(state: State, loop: Loop, event: StepFailed) -> State:
    """The model sees the error of a failed tool call. A failed turn ends the run with an error."""
    if "." in event.step:
        return _answered(state, loop, event.step, CallResult(error=event.error))
    if event.step == SUMMARY:
        return state
    return state._replace(loop=replace(loop, error=event.error))


def _answered(state: State, loop: Loop, step: str, answer: CallResult) -> State:
    loop = loop.with_answer(step, answer)
    return _with_ready_steps(state, loop, *((loop.next_step(),) if loop.turns[-1].is_answered else ()))


def _with_ready_steps(state: State, loop: Loop, *steps: Step) -> State:
    """The state with further steps that can start now."""
    added = {step.task.id: step for step in steps}
    graph = Graph({**state.graph.steps, **added})
    return state._replace(loop=loop, graph=graph, ready=(*state.ready, *added))


def _progressed(state: State, step: str) -> State:
    return state._replace(running=_without(state.running, step), takeovers=0)


RUN = Aggregate(
    "run",
    State(),
    evolve,
    lambda state: state.status.value,
    (
        Requested,
        Started,
        TakenOver,
        StepsStarted,
        StepCompleted,
        StepFailed,
        Suspended,
        Resumed,
        Cancelled,
        Completed,
        Deleted,
        GoalRequested,
        GoalStarted,
        TurnTaken,
        CallAnswered,
        Summarised,
        Failed,
        Asked,
        Answered,
        AskExpired,
        Waiting,
        Continued,
    ),
)
