"""What the scheduler reads from its environment."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from contracts.runtime.settings import Settings


class SchedulerSettings(Settings):
    """Settings of the scheduler."""

    catch_up_s: int = Field(default=3600, ge=0, le=366 * 24 * 3600)
    """The latest tick that an outage missed still fires if it is at most this many seconds late; 0: never.

    A tick noticed within a minute was not missed."""

    @property
    def catch_up(self) -> timedelta:
        """`catch_up_s` as a span of time."""
        return timedelta(seconds=self.catch_up_s)
