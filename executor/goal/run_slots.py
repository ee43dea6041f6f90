"""RunSlots for runs that wait their turn, from which they can be sent away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from contracts.core.outcome import Retry


class RunSlots:
    """So many at once; first come, first served."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._waiting: set[asyncio.Task[None] | None] = set()
        self._closed = False

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[None]:
        """A place, as soon as there is one.

        Raises:
            Retry: this process gives no more.
        """
        if self._closed:
            raise Retry("stopping", after=0)
        task = asyncio.current_task()
        self._waiting.add(task)
        try:
            await self._free.acquire()
        except asyncio.CancelledError:
            if task is None or not self._closed:
                raise
            task.uncancel()
            raise Retry("stopping", after=0) from None
        finally:
            self._waiting.discard(task)
        try:
            yield
        finally:
            self._free.release()

    def close(self) -> None:
        """Give no more, and send away whoever waits."""
        self._closed = True
        for task in self._waiting:
            if task:
                task.cancel()
