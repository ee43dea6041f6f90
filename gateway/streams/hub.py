"""The newest commits of the log, read once per process and passed on in memory to all who listen.

What a stream has told can be read: a commit is passed on when the views include it. When the views are behind
for longer than PATIENCE_S, commits are passed on at once, until the views have caught up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Sequence
from contextlib import aclosing, asynccontextmanager

import structlog

from contracts.core.commit import Recorded
from contracts.core.subjects import EVERYTHING
from contracts.runtime.log import Log, Unavailable

RETRY_S = 1.0
FOLLOW_S = 10.0
PATIENCE_S = 1.0

logger = structlog.get_logger(__name__)

Listener = Callable[[Recorded], None]
"""Called with each commit, in order; must not block."""

Reached = Callable[[int, float], Awaitable[bool]]
"""Whether the views include a stream sequence, after waiting at most so many seconds for it."""


async def included(_: int, __: float) -> bool:
    """Where there are no views to wait for."""
    return True


class Hub:
    """One tail of the log, followed only while somebody listens, with an index from aggregates to listeners.

    A commit costs a look-up, however many listen to others.
    """

    def __init__(self, log: Log, reached: Reached = included) -> None:
        self._log = log
        self._reached = reached
        self._views_are_behind = False
        self._listeners: dict[tuple[str, str], dict[object, Listener]] = {}
        self._overhearing: dict[object, Listener] = {}
        self._wanted = asyncio.Event()
        self._following = asyncio.Event()

    async def run(self) -> None:
        """A worker: passes commits on for ever."""
        try:
            while True:
                await self._wanted.wait()
                try:
                    await self._follow()
                except Unavailable as error:
                    logger.warning("the log cannot be followed; trying again", error=str(error))
                    await asyncio.sleep(RETRY_S)
        finally:
            self._following.clear()

    @asynccontextmanager
    async def listening(self, aggregate: str, aggregate_id: str, listener: Listener) -> AsyncGenerator[None]:
        """Pass every new commit of one aggregate to `listener`.

        Whatever is not in the log yet when the block is entered will be heard: read the log inside the block,
        pass over what is heard twice, and nothing is missed.

        Raises:
            Unavailable: the log could not be followed in time.
        """
        key = (aggregate, aggregate_id)
        token = object()
        self._listeners.setdefault(key, {})[token] = listener
        self._wanted.set()
        try:
            await self._followed()
            yield
        finally:
            del self._listeners[key][token]
            if not self._listeners[key]:
                del self._listeners[key]

    @asynccontextmanager
    async def overhearing(self, listener: Listener) -> AsyncGenerator[None]:
        """Pass every new commit of everything to `listener`, on the same terms as `listening`.

        Raises:
            Unavailable: the log could not be followed in time.
        """
        token = object()
        self._overhearing[token] = listener
        self._wanted.set()
        try:
            await self._followed()
            yield
        finally:
            del self._overhearing[token]

    async def wait_for(
        self, aggregate: str, aggregate_id: str, states: Container[str], *, after: int = 0
    ) -> Recorded:
        """The first commit above sequence `after` that leaves the aggregate in one of `states`.

        Waits as long as it takes: bound it with `asyncio.timeout`.

        Raises:
            Unavailable: the log could not be read.
        """
        found: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()

        def notice(recorded: Recorded) -> None:
            if recorded.seq > after and recorded.commit.state in states and not found.done():
                found.set_result(recorded)

        async with self.listening(aggregate, aggregate_id, notice):
            for recorded in await self._log.read(aggregate, aggregate_id, after=after):
                notice(recorded)
            return await found

    async def readable(self, seq: int) -> None:
        """Wait until the views include `seq`, but not for views that are far behind."""
        self._views_are_behind = not await self._reached(seq, 0 if self._views_are_behind else PATIENCE_S)

    async def _followed(self) -> None:
        try:
            async with asyncio.timeout(FOLLOW_S):
                await self._following.wait()
        except TimeoutError:
            raise Unavailable(f"the log could not be followed within {FOLLOW_S:g} s") from None

    async def _follow(self) -> None:
        """Pass batches on until one finds nobody listening."""
        after = await self._log.last_seq()
        async with aclosing(self._log.tail(EVERYTHING, after=after)) as batches:
            self._following.set()
            async for batch in batches:
                await self.readable(batch[-1].seq)
                self._pass_on(batch)
                if not self._listeners and not self._overhearing:
                    self._following.clear()
                    self._wanted.clear()
                    return

    def _pass_on(self, batch: Sequence[Recorded]) -> None:
        for recorded in batch:
            key = (recorded.commit.aggregate, recorded.commit.aggregate_id)
            for listener in (*self._listeners.get(key, {}).values(), *self._overhearing.values()):
                listener(recorded)
