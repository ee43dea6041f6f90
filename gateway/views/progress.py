"""How far the views are, for clients that want to read what they have just written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from gateway.views.reader import ViewsUnavailable

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
        self._waiting: dict[asyncio.Future[None], int] = {}
        """What is resolved by an announcement of at least that sequence."""

    def announce(self, seq: int) -> None:
        """A projector has reached `seq`."""
        if seq < self._included:  # the views are being built anew
            self._included = 0
        self._announced = seq
        for heard, wanted in self._waiting.items():
            if wanted <= seq and not heard.done():
                heard.set_result(None)

    async def reached(self, seq: int, timeout: float) -> bool:
        """Whether the views include `seq`, after waiting up to `timeout` seconds for it."""
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
        """Whether our views do; of those who ask because of one announcement, the first looks for all."""
        if self._included < seq:
            with contextlib.suppress(ViewsUnavailable):
                self._included = await self._position()
        return self._included >= seq

    async def _next_hint(self, seq: int, timeout: float) -> None:
        """Until the next announcement of `seq` or more, or until it may have got lost."""
        heard = asyncio.get_running_loop().create_future()
        self._waiting[heard] = seq
        try:
            async with asyncio.timeout(min(timeout, POLL_S)):
                await heard
        except TimeoutError:
            return
        finally:
            del self._waiting[heard]
