"""How far the views are, for clients that want to read what they have just written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from gateway.views import ViewsUnavailable

POLL_S = 0.25
"""How long to rely on announcements, which may get lost, before looking."""


class Progress:
    """The position of the views.

    An announcement is a hint, because it may come from the projector of another database; the checkpoint in
    our own views is the truth.
    """

    def __init__(self, position: Callable[[], Awaitable[int]]) -> None:
        self._position = position
        self._announced = 0
        self._included = -1
        self._looking = asyncio.Lock()
        self._news = asyncio.Event()

    def announce(self, seq: int) -> None:
        """A projector has reached `seq`."""
        if seq < self._included:  # the views are being built anew
            self._included = 0
        self._announced = seq
        self._news.set()
        self._news = asyncio.Event()

    async def reached(self, seq: int, timeout: float) -> bool:
        """Whether the views include `seq`, after waiting up to `timeout` seconds for it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                if self._announced < seq:
                    await self._next_hint(seq)
                while not await self._include(seq):
                    await self._next_hint(seq)
                return True
        return False

    async def _include(self, seq: int) -> bool:
        """Whether our views do; however many ask at once, one looks for all."""
        if self._included < seq:
            async with self._looking:
                if self._included < seq:
                    with contextlib.suppress(ViewsUnavailable):
                        self._included = await self._position()
        return self._included >= seq

    async def _next_hint(self, seq: int) -> None:
        """Until the next announcement of `seq` or more, or until it may have got lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._news.wait()
                while self._announced < seq:
                    await self._news.wait()
