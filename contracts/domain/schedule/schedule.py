"""The schedule of a DAG or a goal."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

MAX_JITTER_S = 3600
MAX_CATCH_UP_S = 366 * 24 * 3600


class Overlap(StrEnum):
    """What a tick does while the run of an earlier tick is in progress."""

    SKIP = "skip"
    """The tick is skipped."""
    ALLOW = "allow"
    """A second run starts."""
    QUEUE_ONE = "queue_one"
    """A run starts after the current run has ended; further ticks until then are skipped."""
    CANCEL_RUNNING = "cancel_running"
    """The current run is cancelled, and a new run starts."""


class Schedule(BaseModel):
    """When a DAG or a goal runs automatically."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cron: str
    """Cron expression; empty: the schedule never fires, its other settings are kept."""
    timezone: str = "UTC"
    active: bool = True
    """Whether the schedule is active. Pausing a goal makes all its schedules inactive, resuming it active."""
    paused: bool = False
    """Whether this schedule alone is paused; pausing and resuming the goal do not change it."""
    overlap: Overlap = Overlap.SKIP
    catch_up_s: int | None = None
    """Maximum age in seconds of a missed tick that still fires; null: the setting of the scheduler."""
    jitter_s: int = 0
    """Each tick is delayed by 0 to this many seconds. The delay is derived from the tick."""

    @property
    def fires(self) -> bool:
        """Whether the schedule fires: it has an expression, and is active and not paused."""
        return bool(self.cron) and self.active and not self.paused


def jitter(schedule_id: str, tick: datetime, jitter_s: int) -> timedelta:
    """The delay of a tick: 0 to `jitter_s` seconds, evenly distributed, always the same for a tick."""
    digest = hashlib.sha256(f"{schedule_id}\x1f{tick.isoformat()}".encode()).digest()
    return timedelta(milliseconds=int.from_bytes(digest[:8], "big") % (jitter_s * 1000 + 1))
