"""The schedule of a DAG or a goal."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

MAX_JITTER_S = 3600
MAX_CATCH_UP_S = 366 * 24 * 3600


class Overlap(StrEnum):
    """What happens to a tick while the run of an earlier one still runs."""

    SKIP = "skip"
    """Nothing."""
    ALLOW = "allow"
    """A second run."""
    QUEUE_ONE = "queue_one"
    """A run when the one that is going has ended; further ticks until then are skipped."""
    CANCEL_RUNNING = "cancel_running"
    """A run, after the one that is going has been cancelled."""


class Schedule(BaseModel):
    """When a DAG or a goal runs without a request."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cron: str
    """Empty: no expression, so it never fires; what else it says is kept for the one to come."""
    timezone: str = "UTC"
    active: bool = True
    """Follows the goal: pausing it makes all its schedules inactive, resuming it active."""
    paused: bool = False
    """Held back alone, whatever becomes of the goal."""
    overlap: Overlap = Overlap.SKIP
    catch_up_s: int | None = None
    """How many seconds late a missed tick may still fire; None: the setting of the scheduler."""
    jitter_s: int = 0
    """Each tick is delayed by 0 to this many seconds; the delay is derived from the tick."""

    @property
    def fires(self) -> bool:
        """Whether its ticks do anything, as far as it is concerned."""
        return bool(self.cron) and self.active and not self.paused


def jitter(schedule_id: str, tick: datetime, jitter_s: int) -> timedelta:
    """The delay of this tick: evenly spread over [0, `jitter_s`] seconds and derived from the tick."""
    digest = hashlib.sha256(f"{schedule_id}\x1f{tick.isoformat()}".encode()).digest()
    return timedelta(milliseconds=int.from_bytes(digest[:8], "big") % (jitter_s * 1000 + 1))
