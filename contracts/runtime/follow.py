"""Keeps small aggregates in memory: reads their commits from the log at start and follows new ones."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence

from contracts.core.commit import Recorded
from contracts.core.unread import Unread
from contracts.runtime.continuity import Mark
from contracts.runtime.log import Log


class Follower:
    """Passes all commits on the subjects `filters` to `fold`, from the first one, in the order of the log."""

    def __init__(
        self,
        log: Log,
        *filters: str,
        fold: Callable[[Sequence[Recorded]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self.filters = filters
        self._fold = fold
        self._clock = clock
        self._current_at = -math.inf
        self._advanced = asyncio.Condition()
        self.seq = 0
        """All commits up to this stream sequence are folded."""
        self.last = Mark()
        """Sequence and digest of the last commit folded."""
        self.has_unread = False
        """Whether an event was folded that this process cannot read."""

    async def run(self) -> None:
        """A worker: follows the log until cancelled."""
        async for batch in self._log.tail(*self.filters, after=self.seq):
            self._fold(batch)
            self.last = Mark(batch[-1].seq, batch[-1].digest)
            self.seq = self.last.seq
            self.has_unread |= any(isinstance(event, Unread) for one in batch for event in one.commit.events)
            async with self._advanced:
                self._advanced.notify_all()

    @property
    def age_s(self) -> float:
        """Seconds since the folded commits were all of the log; infinite before the first `catch_up`."""
        return self._clock() - self._current_at

    async def catch_up(self) -> None:
        """Wait until all commits that are in the log now have been folded.

        Raises:
            Unavailable: the log could not be reached.
        """
        asked_at = self._clock()
        newest = await self._log.last_seq(*self.filters)
        async with self._advanced:
            await self._advanced.wait_for(lambda: self.seq >= newest)
        self._current_at = max(self._current_at, asked_at)
