"""Checks that this process still owns a run: it may have been suspended or disconnected meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from contracts.domain import run
from contracts.domain.run import RUN
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.nats.retry import retry_forever
from contracts.runtime.stream import Stream

RECHECK_S = 0.1
"""Seconds between checks of a run that may be lost."""


class Ownership:
    """The ownership of one run by this executor, according to the lease and the log."""

    def __init__(self, stream: Stream[run.State], lease: Lease, request_refresh: Callable[[], None]) -> None:
        self._stream = stream
        self._lease = lease
        self._refresh_requested = request_refresh
        self._term = lease.term
        """The term of the lease in which this process was last known to own the run."""

    async def confirm(self) -> None:
        """Return once it is certain that this process owns the run.

        If the lease expired, another executor may have taken over the run, so the log is read. If it has,
        the waiting attempt is cancelled.
        """
        while not self._lease.holds(self._term):
            term = self._lease.term
            if self._lease.is_held and await retry_forever(self._is_newest, what="to read who owns a run"):
                self._term = term
            else:
                self._refresh_requested()
                await asyncio.sleep(RECHECK_S)

    async def _is_newest(self) -> bool:
        """Whether no other process has appended to the run since this process last read or wrote it."""
        newest = await self._stream.log.newest(RUN.name, self._stream.id)
        return newest is not None and newest.seq == self._stream.seq
