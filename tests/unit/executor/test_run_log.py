"""The lines of the process log about runs that end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.run import RUN
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, Stream
from executor.run_log import log_event
from tests.any_source import CODEC

TRACE = "0af7651916cd43dd8448eb211c80319c"
ORIGIN = Origin("/executor/1", "corr_1", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")


def ended(outcome: str) -> float:
    """How many runs have ended so."""
    return REGISTRY.get_sample_value("executor_runs_ended_total", {"outcome": outcome}) or 0


@pytest.mark.parametrize(
    ("event", "level", "outcome", "told"),
    [
        (
            run.Completed(completed_steps=2, duration_ms=7),
            "info",
            "completed",
            {"steps": 2, "duration_ms": 7},
        ),
        (run.Suspended(reason="no disk"), "warning", "suspended", {"reason": "no disk"}),
        (run.Failed(error="no model"), "error", "failed", {"error": "no model"}),
    ],
)
def test_each_end_of_a_run_is_one_line_with_its_ids_and_is_counted(
    event: Event, level: str, outcome: str, told: dict[str, Any]
) -> None:
    stream = Stream(MemoryLog(CODEC), RUN, "run_1", ORIGIN)
    before = ended(outcome)
    with capture_logs() as lines:
        log_event(stream, event)
    ids = {"run": "run_1", "correlation_id": "corr_1", "trace_id": TRACE}
    assert lines == [{"event": f"run {outcome}", "log_level": level, **ids, **told}]
    assert ended(outcome) == before + 1


def test_an_attempt_that_is_repeated_is_not_an_error() -> None:
    stream = Stream(MemoryLog(CODEC), RUN, "run_1", ORIGIN)
    with capture_logs() as lines:
        log_event(stream, run.StepFailed(step="001", attempt=1, error="busy", retry_at=datetime.now(UTC)))
    assert lines == []
