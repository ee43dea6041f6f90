"""Settings that the scheduler reads from its environment."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from contracts.domain.run_requests import GoalSettings
from contracts.runtime.process.settings import Settings


class SchedulerSettings(Settings, GoalSettings):
    """Settings of the scheduler."""

    catch_up_s: int = Field(default=3600, ge=0, le=366 * 24 * 3600)
    """Maximum seconds that the latest tick missed in an outage may be late and still fire; 0: it never fires.

    A tick that is at most one minute late counts as on time. A schedule may override this value."""

    @property
    def catch_up(self) -> timedelta:
        """`catch_up_s` as a timedelta."""
        return timedelta(seconds=self.catch_up_s)
