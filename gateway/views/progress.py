"""The position of the views, so that clients can read their own writes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from gateway.views.reader import ViewsUnavailable

POLL_S = 0.25
"""Seconds to wait for an announcement before reading the checkpoint. Announcements may be lost."""


class ViewsProgress:
    """Tracks the position of the views.

    An announcement is only a hint, because it may come from the projector of another database. The checkpoint
    in the views decides.
    """

    def __init__(self, position: Callable[[], Awaitable[int]]) -> None:
        self._position = position
        self._announced = 0
        self._included = -1
        self._waiting: dict[asyncio.Future[None], int] = {}
        """Futures that an announcement of at least their sequence resolves."""

    def announce(self, seq: int) -> None:
        """Process the announcement that a projector has reached `seq`."""
        if seq < self._included:  # the views are being rebuilt
            self._included = 0
        self._announced = seq
        for heard, wanted in self._waiting.items():
            if wanted <= seq and not heard.done():
                heard.set_result(None)

    async def reached(self, seq: int, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the views to include `seq`. Return whether they do."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout
        if self._announced < seq:
            await self._next_hint(seq, timeout)
        while not await self._include(seq):
            left = ends - loop.time()
            if left <= 0:
                return False
            await self._next_hint(seq, left)
        return True

    async def _include(self, seq: int) -> bool:
        """Whether the views include `seq`. The checkpoint is read once per announcement."""
        if self._included < seq:
            with contextlib.suppress(ViewsUnavailable):
                self._included = await self._position()
        return self._included >= seq

    async def _next_hint(self, seq: int, timeout: float) -> None:
        """Wait for an announcement of `seq` or more, or until it may have been lost."""
        heard = asyncio.get_running_loop().create_future()
        self._waiting[heard] = seq
        try:
            async with asyncio.timeout(min(timeout, POLL_S)):
                await heard
        except TimeoutError:
            return
        finally:
            del self._waiting[heard]
