"""Slots that limit the runs in progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from contracts.core.outcome import Retry


class RunSlots:
    """`count` slots, first come, first served; None: unlimited."""

    def __init__(self, count: int | None) -> None:
        self._free = None if count is None else asyncio.Semaphore(count)
        self._waiting: set[asyncio.Task[None] | None] = set()
        self._closed = False

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[None]:
        """Hold one slot. Waits until a slot is free.

        Raises:
            Retry: the slots are closed.
        """
        if self._closed:
            raise Retry("stopping", after=0)
        if self._free is None:
            yield
            return
        await self._acquire(self._free)
        try:
            yield
        finally:
            self._free.release()

    async def _acquire(self, free: asyncio.Semaphore) -> None:
        task = asyncio.current_task()
        self._waiting.add(task)
        try:
            await free.acquire()
        except asyncio.CancelledError:
            if task is None or not self._closed:
                raise
            task.uncancel()
            raise Retry("stopping", after=0) from None
        finally:
            self._waiting.discard(task)

    def close(self) -> None:
        """Give out no more slots, and raise Retry in all waiting tasks."""
        self._closed = True
        for task in self._waiting:
            if task:
                task.cancel()
