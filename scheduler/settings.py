"""What the scheduler reads from its environment."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from contracts.domain.run_requests import GoalSettings
from contracts.runtime.process.settings import Settings


class SchedulerSettings(Settings, GoalSettings):
    """Settings of the scheduler."""

    catch_up_s: int = Field(default=3600, ge=0, le=366 * 24 * 3600)
    """The latest tick that an outage missed still fires if it is at most this many seconds late; 0: never.

    A tick noticed within a minute was not missed. A schedule may have a number of its own."""

    @property
    def catch_up(self) -> timedelta:
        """`catch_up_s` as a span of time."""
        return timedelta(seconds=self.catch_up_s)
