"""Stream events of runs with the strategy `dag`, in dialect-independent names. This module does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from contracts.api.fields import epoch_ms
from contracts.core.event import Event, Json
from contracts.domain import run
from contracts.domain.run.steps import SYNTHESIS
from gateway.streams.dialect import StreamEvent

COUNTERS = ("status", "completed", "failed", "waiting")

StreamEvents = Iterator[tuple[str, StreamEvent]]


def stream_events(  # noqa: C901, PLR0912  one event a line
    event: Event, before: run.State, state: run.State, counters: Mapping[str, Json]
) -> StreamEvents:
    """Yield the stream events of `event`. `before` and `state` are the run before and after it."""
    done = {"completed": counters["completed"], "failed": counters["failed"]}
    match event:
        case run.Requested():
            yield "run.planned", _headline(state)
        case run.Inherited():
            steps = [one.step for one in event.steps]
            yield "run.inherited", {"forkedFrom": forked_from(state), "inheritedSteps": steps}
            yield "run.updated", {name: counters[name] for name in COUNTERS}
        case run.Started() if state.resumes:
            yield "run.updated", {name: counters[name] for name in COUNTERS}
        case run.Started():
            yield "run.started", _headline(state)
        case run.StepsStarted(steps=steps):
            for step in steps:
                yield "step.started", {"step": step, "description": state.graph.steps[step].task.description}
        case run.StepCompleted(step=step):
            fields = {"durationMs": event.duration_ms, "result": event.result}
            cut = {"finishReason": event.finish_reason} if event.is_cut_short else {}
            yield "step.completed", {"step": step, **fields, **cut}
        case run.StepFailed():
            yield _step_failed(event)
        case run.Suspended(reason=reason):
            yield "run.suspended", {"reason": reason, **done}
        case run.Resumed():
            yield "run.resumed", _headline(state)
        case run.Cancelled(reason=reason):
            error = f"cancelled: {reason}"
            for step in in_progress(before):
                yield "step.failed", {"step": step, "error": error}
            yield "run.failed", {**failed(counters, error), **cancelled(event)}
        case run.Completed(duration_ms=duration_ms):
            report = state.done.get(SYNTHESIS)
            status = {"status": counters["status"]}
            yield "run.completed", {**status, **done, "durationMs": duration_ms, "report": report}
        case run.Deleted():
            yield "run.deleted", {}


def forked_from(state: run.State) -> str | None:
    """Return the id of the run that this one is a fork of, or None."""
    return state.forked_from.run_id if state.forked_from else None


def cancelled(event: run.Cancelled) -> StreamEvent:
    """Return why a run was cancelled, and by which fork it is replaced, if any."""
    replaced = {"replacedBy": event.replaced_by} if event.replaced_by else {}
    return {"cancelledReason": event.reason, **replaced}


def failed(counters: Mapping[str, Json], error: str) -> StreamEvent:
    """Return the fields of the event for a failed run."""
    return {"status": counters["status"], "error": error} | {
        name: counters[name] for name in ("completed", "failed")
    }


def in_progress(state: run.State) -> list[str]:
    """Return the steps that run or wait for a retry, except the synthesis, in the order of the plan."""
    return [step for step in state.graph.tasks if step in state.running or step in state.retrying]


def settles_a_task(event: Event) -> bool:
    """Whether the event ends an attempt of a step other than the synthesis."""
    match event:
        case run.StepCompleted(step=step) | run.StepFailed(step=step):
            return step != SYNTHESIS
    return False


def _step_failed(event: run.StepFailed) -> tuple[str, StreamEvent]:
    fields: StreamEvent = {"step": event.step, "error": event.error}
    if event.retry_at is None:
        return "step.failed", fields
    return "step.retrying", {**fields, "attempt": event.attempt, "retryAt": epoch_ms(event.retry_at)}


def _headline(state: run.State) -> StreamEvent:
    request = state.request
    return {"total": len(state.graph.tasks), "request": request.original_request} if request else {}
