"""Reads the messages of one aggregate from the log. The cost does not grow with the size of the log.

The headers of a commit contain its position in the aggregate (`wire.place_in`) and the sequence of the
previous commit (`wire.previous_in`). JetStream finds the newest commit by its subject index. That commit
determines whether there are others, where the first one is, and how many there are. Without these headers a
read searches the whole log. Messages that no writer has published (`wire.is_published`) are skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from contracts.core.subjects import STREAM
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.direct import Stored, stored, stored_at
from contracts.runtime.nats.leader import last_of
from contracts.runtime.nats.retry import NoAnswer
from contracts.runtime.wire import is_published, place_in, previous_in

LONGEST_WALK = 16
"""Maximum number of commits read one by one from the newest backwards. More are read in batches."""
READS_AT_ONCE = 64
"""Maximum number of aggregates that are read concurrently. nats-server reads for one connection one after
the other, and loads 8 MB from disk for an old commit, which takes 8 to 25 ms. More reads would exceed
their time-out of 5 s, and the connection would answer no pings."""


class History:
    """Reads of the log. `replicated`: the stream has several replicas, and a lagging one may answer."""

    def __init__(self, connection: Connection, *, replicated: bool) -> None:
        self._connection = connection
        self._replicated = replicated
        self._slots = asyncio.Semaphore(READS_AT_ONCE)

    async def newest(self, subject_filter: str) -> Stored | None:
        """The last commit on `subject_filter`; None if there is none.

        Raises:
            NoAnswer: the read was interrupted; retry it.
        """
        async with self._slots:
            return await self._newest(subject_filter)

    async def last(self, subject_filter: str) -> Stored | None:
        """The last message on `subject_filter`, which may not be a commit; None if there is none.

        Raises:
            NoAnswer: the read was interrupted; retry it.
        """
        async with self._slots:
            return await self._last(subject_filter)

    async def since(self, subject_filter: str, after: int) -> Sequence[Stored]:
        """All commits of one aggregate with a sequence above `after`, in order.

        Raises:
            NoAnswer: the read was interrupted, or the replica that answered lags behind; retry it.
        """
        async with self._slots:
            return await self._since(subject_filter, after)

    async def _last(self, subject_filter: str) -> Stored | None:
        if self._replicated:
            return await last_of(self._connection, STREAM, subject_filter)
        return await stored_at(self._connection, STREAM, {"last_by_subj": subject_filter})

    async def _newest(self, subject_filter: str) -> Stored | None:
        last = await self._last(subject_filter)
        if last is None or is_published(last.headers):
            return last
        found = await self._read_between(last, subject_filter, 1)
        return found[-1] if found else None

    async def _since(self, subject_filter: str, after: int) -> Sequence[Stored]:
        newest = await self._newest(subject_filter)
        if newest is None or newest.seq <= after:
            return []
        if previous_in(newest.headers) == after:
            return [newest]
        if after and (walked := await self._walk_back(newest, after)):
            return walked
        return [*await self._before(newest, subject_filter, after), newest]

    async def _walk_back(self, newest: Stored, after: int) -> Sequence[Stored] | None:
        """The commits after `after`; None if there are too many, or one is missing or not a commit."""
        chain = [newest]
        while len(chain) < LONGEST_WALK:
            previous = previous_in(chain[-1].headers)
            if previous == after:
                return chain[::-1]
            before = await stored_at(self._connection, STREAM, {"seq": previous}) if previous else None
            if before is None or before.seq < after:
                return None
            chain.append(before)
        return None

    async def _before(self, newest: Stored, subject_filter: str, after: int) -> Sequence[Stored]:
        """The commits between `after` and `newest`."""
        place = place_in(newest.headers)
        if place is None or after >= place.first:
            return await self._read_between(newest, subject_filter, after + 1)
        found = await self._read_between(newest, subject_filter, place.first, place.number - 1)
        if len(found) != place.number - 1:  # an operator removed a message, or moved the log
            return await self._read_between(newest, subject_filter, 1)
        return found

    async def _read_between(
        self, newest: Stored, subject_filter: str, first: int, count: int | None = None
    ) -> Sequence[Stored]:
        """The commits from `first` to before `newest`, at most `count`."""
        found = await stored(self._connection, STREAM, subject_filter, first, before=newest.seq, count=count)
        commits = [one for one in found if is_published(one.headers)]
        if len(commits) == count:
            return commits
        last = found[-1].seq if found else first - 1
        if count is not None and len(found) == count:  # some are not commits
            more = await self._read_between(newest, subject_filter, last + 1, count - len(commits))
            return [*commits, *more]
        if self._replicated and (previous_in(newest.headers) or 0) > last:
            raise NoAnswer("the replica that answered lags behind")
        return commits
