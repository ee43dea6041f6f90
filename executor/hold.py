"""Whether a run is still this process's, which may have been stopped or cut off meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from contracts.domain import run
from contracts.domain.run import RUN
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.nats.retry import retry_forever
from contracts.runtime.stream import Stream

LOOK_AGAIN_S = 0.1
"""Between looks at a run that may not be ours any more."""


class Hold:
    """The hold of one executor on one run, as its lease and the log tell."""

    def __init__(self, stream: Stream[run.State], lease: Lease, look_again: Callable[[], None]) -> None:
        self._stream = stream
        self._lease = lease
        self._look_again = look_again
        self._term = lease.term
        """The term of the lease in which the run was last known to be ours."""

    async def confirm(self) -> None:
        """Return when the run is ours for certain.

        If the lease has run out since that was last known, another executor may have taken the run over: the
        log tells. Whoever waits here is cancelled when it has.
        """
        while not self._lease.holds(self._term):
            term = self._lease.term
            if self._lease.is_held and await retry_forever(self._is_newest, what="to read who has a run"):
                self._term = term
            else:
                self._look_again()
                await asyncio.sleep(LOOK_AGAIN_S)

    async def _is_newest(self) -> bool:
        """Whether nobody has appended to the run since this process did or read it."""
        newest = await self._stream.log.newest(RUN.name, self._stream.id)
        return newest is not None and newest.seq == self._stream.seq
