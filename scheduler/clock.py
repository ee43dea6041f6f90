"""The wall clock, and waiting for a time. Tests implement their own clock."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The clock that the scheduler uses."""

    def now(self) -> datetime:
        """The current time, with a time zone."""
        ...

    async def wait(self, until: datetime, change: asyncio.Event) -> None:
        """Return at `until`, or as soon as `change` is set."""
        ...


class WallClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)

    async def wait(self, until: datetime, change: asyncio.Event) -> None:
        """Return at `until`, or as soon as `change` is set. Does not notice that the clock is set."""
        seconds = (until - self.now()).total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                await change.wait()
