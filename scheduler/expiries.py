"""Closes questions of waiting runs that nobody answered in time.

Each commit that makes a run wait says when its first question expires. So the log is the agenda, and nothing
is lost when the process dies. Runs whose other steps go on are not in it: their executors close their
questions.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog

from contracts.core.commit import Recorded
from contracts.core.subjects import state_filter
from contracts.core.unread import UnreadHistory
from contracts.domain import run
from contracts.domain.run import RUN
from contracts.runtime.follow import Follower
from contracts.runtime.log import Log, Unavailable
from contracts.runtime.stream import Origin, TooManyConflicts, transact
from scheduler.clock import Clock
from scheduler.runs import ACTOR

logger = structlog.get_logger(__name__)

RECHECK = timedelta(seconds=30)
"""Maximum time between reads of the wall clock, and the pause after a failure."""


class Expiries:
    """The agenda of expiries, and the worker that closes what is due."""

    def __init__(self, log: Log, source: str, clock: Clock) -> None:
        self._log = log
        self._origin = Origin(source, actor=ACTOR)
        self._clock = clock
        self.follower = Follower(log, state_filter(RUN.name, run.Status.WAITING), fold=self._fold)
        self._agenda: list[tuple[datetime, str]] = []
        """A heap of times and run ids. A run may be in it several times, and may have gone on since."""
        self._closing: list[tuple[datetime, str]] = []
        """What was taken from the agenda and is not closed yet."""
        self._changed = asyncio.Event()

    @property
    def agenda(self) -> Sequence[tuple[datetime, str]]:
        """When to look at which run: every expiry that has not been dealt with."""
        return (*self._closing, *self._agenda)

    def restore(self, agenda: Sequence[tuple[datetime, str]]) -> None:
        """Replace the agenda by one that was saved."""
        self._agenda = sorted(agenda)

    async def follow(self) -> None:
        """A worker: follows the log until cancelled."""
        await self.follower.run()

    async def run(self) -> None:
        """A worker: closes questions until cancelled."""
        while True:
            self._changed.clear()
            now = self._clock.now()
            while self._agenda and self._agenda[0][0] <= now:
                self._closing = [heapq.heappop(self._agenda)]
                await self._close(self._closing[0][1], now)
                self._closing = []
            next_due = self._agenda[0][0] if self._agenda else now + RECHECK
            await self._clock.wait(min(next_due, now + RECHECK), self._changed)

    def _fold(self, batch: Sequence[Recorded]) -> None:
        for one in batch:
            match one.commit.events:
                case [*_, run.Waiting(until=datetime() as until)]:
                    heapq.heappush(self._agenda, (until, one.commit.aggregate_id))
        self._changed.set()

    async def _close(self, run_id: str, now: datetime) -> None:
        """Close the questions of a run that have expired. A run that has gone on does not change."""
        try:
            await transact(self._log, RUN, run_id, partial(run.expire, now=now), self._origin)
        except (Unavailable, TooManyConflicts, UnreadHistory) as error:
            logger.warning("cannot close expired questions; retrying", run=run_id, error=str(error))
            heapq.heappush(self._agenda, (now + RECHECK, run_id))
