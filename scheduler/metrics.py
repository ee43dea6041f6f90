"""What the scheduler counts."""

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
    "From the tick to the run it asked for",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60, 600, 3600),
)
ACTIVE = Gauge("scheduler_active_schedules", "Schedules that fire")
FAILURES = Counter("scheduler_failures", "Looks at a schedule that failed and are repeated")


def count_ticks(ticks: Sequence[Ticked | Amended]) -> None:
    """These were decided and recorded."""
    for ticked in ticks:
        TICKS.labels(ticked.decision.value).inc()


def count_run(tick: datetime, now: datetime) -> None:
    """The run of `tick` has just been asked for."""
    LATENESS.observe((now - tick).total_seconds())
