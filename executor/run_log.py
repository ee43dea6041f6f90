"""Writes a line to the process log for each end of a run and each finally failed step, and counts them."""

from __future__ import annotations

import structlog

from contracts.core.event import Event
from contracts.domain import run
from contracts.runtime.stream import Origin, Stream
from executor import metrics

logger = structlog.get_logger(__name__)


def log_event(stream: Stream[run.State], event: Event) -> None:
    """Write the log line for a saved event, if the event has one, and count it."""
    ids = {"run": stream.id, "correlation_id": stream.origin.correlation_id, **_trace(stream.origin)}
    match event:
        case run.StepFailed(retry_at=None):
            name = stream.state.graph.steps[event.step].task.tool_or_prompt.name
            failed = {"step": event.step, "tool": name, "attempt": event.attempt, "error": event.error}
            logger.error("step failed", **ids, **failed)
            metrics.STEPS_FAILED.labels(name).inc()
        case run.Completed():
            logger.info("run completed", **ids, steps=event.completed_steps, duration_ms=event.duration_ms)
            metrics.RUNS_ENDED.labels("completed").inc()
        case run.Suspended():
            logger.warning("run suspended", **ids, reason=event.reason)
            metrics.RUNS_ENDED.labels("suspended").inc()
        case run.Failed():
            logger.error("run failed", **ids, error=event.error)
            metrics.RUNS_ENDED.labels("failed").inc()


def _trace(origin: Origin) -> dict[str, str]:
    """The trace id of a W3C traceparent, `00-<trace id>-<span id>-<flags>`."""
    return {"trace_id": origin.traceparent.split("-")[1]} if origin.traceparent else {}
