"""Stream events of runs with the strategy `agent`. This module does no I/O.

A turn of the agent is a step. Its tool calls are calls.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.api.fields import epoch_ms
from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.prompts.observations import Observed, failure, shown_call
from contracts.domain.run import SUMMARY, Loop, Turn
from gateway.streams.dialect import StreamEvent
from gateway.streams.plan_events import cancelled, forked_from

StreamEvents = Iterator[tuple[str, StreamEvent]]


def stream_events(event: Event, state: run.State, loop: Loop) -> StreamEvents:  # noqa: C901, PLR0912  one event a line
    """Yield the stream events of `event`. `state` and `loop` are the states after it."""
    match event:
        case run.GoalRequested():
            yield "run.requested", _headline(loop)
        case run.Inherited():
            steps = [turn.taken.step for turn in loop.turns]
            yield "run.inherited", {"forkedFrom": forked_from(state), "inheritedSteps": steps}
            yield "run.updated", _counters(state, loop)
        case run.Resumed():
            yield "run.resumed", _headline(loop)
        case run.GoalStarted() if state.resumes:
            yield "run.updated", _counters(state, loop)
        case run.GoalStarted(agent=agent):
            yield "run.started", {**_headline(loop), "agentName": agent.name, "tools": event.tools}
        case run.StepsStarted():
            yield from _steps_started(event, state, loop)
        case run.TurnTaken():
            yield "step.thought", {"step": event.step, "thought": event.thought, "calls": _calls(event)}
            yield from _turn_completed(state, loop)
        case run.CallAnswered():
            result = {"durationMs": event.duration_ms, "result": event.result}
            yield "call.completed", {**_call(event.step, loop), **result}
            yield from _turn_completed(state, loop)
        case run.StepFailed():
            yield from _step_failed(event, state, loop)
        case run.Completed(duration_ms=duration_ms, outcome_reason=reason):
            end = {"durationMs": duration_ms, "report": loop.summary, "outcomeReason": reason}
            yield "run.completed", {**_counters(state, loop), **end}
        case run.Failed(error=error):
            yield "run.failed", {**_counters(state, loop), "error": error}
        case run.Cancelled(reason=reason):
            yield (
                "run.failed",
                {**_counters(state, loop), "error": f"cancelled: {reason}", **cancelled(event)},
            )
        case run.Deleted():
            yield "run.deleted", {}


def name_step(step: str) -> StreamEvent:
    """Return the fields that name a turn (its number), or a call (its turn's number and its position)."""
    turn, _, position = step.partition(".")
    named: StreamEvent = {"stepNo": int(turn)}
    return {**named, "position": int(position)} if position else named


def _steps_started(event: run.StepsStarted, state: run.State, loop: Loop) -> StreamEvents:
    for step in event.steps:
        attempt = {"attempt": state.attempts[step]}
        if "." in step:
            yield "call.started", {**_call(step, loop), **attempt}
        elif step != SUMMARY:
            yield "step.started", {"step": step, **attempt}


def _step_failed(event: run.StepFailed, state: run.State, loop: Loop) -> StreamEvents:
    if event.step == SUMMARY:
        return
    is_call = "." in event.step
    kind = "call" if is_call else "step"
    fields = _call(event.step, loop) if is_call else {"step": event.step}
    fields |= {"attempt": event.attempt, "error": event.error}
    if event.retry_at:
        yield f"{kind}.retrying", {**fields, "retryAt": epoch_ms(event.retry_at)}
        return
    yield f"{kind}.failed", fields
    if is_call:
        yield from _turn_completed(state, loop)


def _turn_completed(state: run.State, loop: Loop) -> StreamEvents:
    """Yield the end of the last turn if all its calls have ended."""
    last = loop.turns[-1]
    if last.is_answered:
        yield "step.completed", {"step": last.taken.step, "thought": last.taken.thought, **_observed(last)}
        yield "run.updated", _counters(state, loop)


def _counters(state: run.State, loop: Loop) -> StreamEvent:
    turns, budget = len(loop.turns), loop.request.step_budget
    return {"status": state.status.value, "completed": turns, "budget": budget}


def _headline(loop: Loop) -> StreamEvent:
    request = loop.request
    named = {"goalId": request.goal_id, "request": request.objective}
    return {**named, "strategy": "agent", "budget": request.step_budget}


def _call(step: str, loop: Loop) -> StreamEvent:
    return {"step": step, "toolName": loop.call(step).name}


def _calls(taken: run.TurnTaken) -> list[StreamEvent]:
    return [
        {"position": n, "toolName": call.name, "toolInput": call.arguments, "error": call.refusal}
        for n, call in enumerate(taken.calls)
    ]


def _observed(turn: Turn) -> StreamEvent:
    """Return the main tool of a turn, and the error if every call failed."""
    observed = [
        Observed(turn.number, position, turn.taken.calls[position].name, {}, error=answer.error)
        for position, answer in turn.answers.items()
    ]
    shown = shown_call(observed)
    return {"toolName": shown.tool if shown else None, "error": failure(observed)}
