"""Writes a line to the process log for each end of a run and each finally failed step, and counts them."""

from __future__ import annotations

import structlog

from contracts.core.event import Event
from contracts.domain import run
from contracts.runtime.stream import Stream
from executor import metrics

logger = structlog.get_logger(__name__)


def log_event(stream: Stream[run.State], event: Event) -> None:
    """Write the log line for a saved event, if the event has one, and count it."""
    match event:
        case run.StepFailed(retry_at=None):
            name = stream.state.graph.steps[event.step].task.tool_or_prompt.name
            failed = {"step": event.step, "tool": name, "attempt": event.attempt, "error": event.error}
            logger.error("step failed", **_ids(stream), **failed)
            metrics.STEPS_FAILED.labels(name).inc()
        case run.Completed():
            logger.info(
                "run completed", **_ids(stream), steps=event.completed_steps, duration_ms=event.duration_ms
            )
            metrics.RUNS_ENDED.labels("completed").inc()
        case run.Suspended():
            logger.warning("run suspended", **_ids(stream), reason=event.reason)
            metrics.RUNS_ENDED.labels("suspended").inc()
        case run.Failed():
            logger.error("run failed", **_ids(stream), error=event.error)
            metrics.RUNS_ENDED.labels("failed").inc()


def _ids(stream: Stream[run.State]) -> dict[str, str]:
    """The ids of a run for its log lines."""
    origin = stream.origin
    return {"run": stream.id, "correlation_id": origin.correlation_id, **_trace(origin.traceparent)}


def _trace(traceparent: str | None) -> dict[str, str]:
    """The trace id of a W3C traceparent, `00-<trace id>-<span id>-<flags>`."""
    return {"trace_id": traceparent.split("-")[1]} if traceparent else {}
