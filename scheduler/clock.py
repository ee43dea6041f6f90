"""The time on the wall, and waiting for a moment of it. Tests have a clock of their own."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the scheduler knows of time."""

    def now(self) -> datetime:
        """This moment, aware."""
        ...

    async def wait(self, until: datetime, change: asyncio.Event) -> None:
        """Return at `until`, or as soon as `change` is set."""
        ...


class WallClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """This moment in UTC."""
        return datetime.now(UTC)

    async def wait(self, until: datetime, change: asyncio.Event) -> None:
        """Return at `until`, or as soon as `change` is set. A clock set meanwhile is not noticed."""
        seconds = (until - self.now()).total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                await change.wait()
