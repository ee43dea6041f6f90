"""When something is to be done by itself: the value that DAGs and goals share."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

MAX_JITTER_S = 3600
MAX_CATCH_UP_S = 366 * 24 * 3600


class Overlap(StrEnum):
    """What becomes of a tick while the run of an earlier one is still going."""

    SKIP = "skip"
    """Nothing."""
    ALLOW = "allow"
    """A second run."""
    QUEUE_ONE = "queue_one"
    """A run when the one that is going has ended; further ticks until then are skipped."""
    CANCEL_RUNNING = "cancel_running"
    """A run, after the one that is going has been cancelled."""


class Schedule(BaseModel):
    """When something is to be done by itself."""

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
    """How late a tick that was slept through may still fire; None: as the scheduler is set."""
    jitter_s: int = 0
    """Each tick comes up to so many seconds later, by the same amount whoever asks."""

    @property
    def fires(self) -> bool:
        """Whether its ticks do anything, as far as it is concerned."""
        return bool(self.cron) and self.active and not self.paused


def jitter(schedule_id: str, tick: datetime, jitter_s: int) -> timedelta:
    """How much later this tick comes: spread evenly over [0, `jitter_s`], the same whoever asks."""
    digest = hashlib.sha256(f"{schedule_id}\x1f{tick.isoformat()}".encode()).digest()
    return timedelta(milliseconds=int.from_bytes(digest[:8], "big") % (jitter_s * 1000 + 1))
