"""Prometheus metrics of the scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prometheus_client import Counter, Gauge, Histogram

from contracts.domain.schedule.ticks import Amended, Ticked

TICKS = Counter(
    "scheduler_ticks", "Decisions about ticks by this process: fired, queued, skipped or missed", ["decision"]
)
LATENESS = Histogram(
    "scheduler_lateness_seconds",
    "Seconds from a tick to the request of its run",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60, 600, 3600),
)
ACTIVE = Gauge("scheduler_active_schedules", "Active schedules")
FAILURES = Counter("scheduler_failures", "Failed attempts to decide the ticks of a schedule; each is retried")


def count_ticks(ticks: Sequence[Ticked | Amended]) -> None:
    """Count ticks that were decided and recorded."""
    for ticked in ticks:
        TICKS.labels(ticked.decision.value).inc()


def count_run(tick: datetime, now: datetime) -> None:
    """Observe the lateness of the run of `tick`, which was requested at `now`."""
    LATENESS.observe((now - tick).total_seconds())
