"""The hub reads new commits of the log once per process and passes them to all listeners.

A commit is passed on after the views include it, so that clients can read what an event announces. If the
views lag behind for longer than PATIENCE_S, commits are passed on at once until the views catch up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Sequence
from contextlib import aclosing, asynccontextmanager

import structlog

from contracts.core.commit import Recorded
from contracts.runtime.log import Log, Unavailable

RETRY_S = 1.0
FOLLOW_S = 10.0
PATIENCE_S = 1.0

logger = structlog.get_logger(__name__)

Listener = Callable[[Recorded], None]
"""Called with each commit, in order. It must not block."""

Reached = Callable[[int, float], Awaitable[bool]]
"""Waits up to a number of seconds for the views to include a stream sequence. Returns whether they do."""


async def included(_: int, __: float) -> bool:
    """The default for `reached`: do not wait for views."""
    return True


class Hub:
    """Follows the log while it has listeners, and passes each commit to the listeners of its aggregate.

    The cost of a commit does not depend on the number of listeners of other aggregates.
    """

    def __init__(self, log: Log, reached: Reached = included) -> None:
        self._log = log
        self._reached = reached
        self._views_are_behind = False
        self._listeners: dict[tuple[str, str], dict[object, Listener]] = {}
        self._general_listeners: dict[object, Listener] = {}
        self._wanted = asyncio.Event()
        self._following = asyncio.Event()

    async def run(self) -> None:
        """Pass commits on until cancelled. Run it as a worker."""
        try:
            while True:
                await self._wanted.wait()
                try:
                    await self._follow()
                except Unavailable as error:
                    logger.warning("the log cannot be followed; retrying", error=str(error))
                    await asyncio.sleep(RETRY_S)
        finally:
            self._following.clear()

    @asynccontextmanager
    async def listening(self, aggregate: str, aggregate_id: str, listener: Listener) -> AsyncGenerator[None]:
        """Pass every new commit of one aggregate to `listener` until the end of the block.

        Every commit after the start of the block is passed on. To miss nothing, read the log inside the block
        and ignore repeated commits.

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
    async def listening_to_all(self, listener: Listener) -> AsyncGenerator[None]:
        """Pass every new commit of all aggregates to `listener`, in the same way as `listening`.

        Raises:
            Unavailable: the log could not be followed in time.
        """
        token = object()
        self._general_listeners[token] = listener
        self._wanted.set()
        try:
            await self._followed()
            yield
        finally:
            del self._general_listeners[token]

    async def wait_for(
        self, aggregate: str, aggregate_id: str, states: Container[str], *, after: int = 0
    ) -> Recorded:
        """Return the first commit above sequence `after` that leaves the aggregate in one of `states`.

        It waits without a limit: use `asyncio.timeout`.

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
        """Wait until the views include `seq`, but at most PATIENCE_S seconds."""
        self._views_are_behind = not await self._reached(seq, 0 if self._views_are_behind else PATIENCE_S)

    async def _followed(self) -> None:
        try:
            async with asyncio.timeout(FOLLOW_S):
                await self._following.wait()
        except TimeoutError:
            raise Unavailable(f"the log could not be followed within {FOLLOW_S:g} s") from None

    async def _follow(self) -> None:
        """Pass batches on until there are no listeners."""
        after = await self._log.last_seq()
        async with aclosing(self._log.tail(after=after)) as batches:
            self._following.set()
            async for batch in batches:
                await self.readable(batch[-1].seq)
                self._dispatch(batch)
                if not self._listeners and not self._general_listeners:
                    self._following.clear()
                    self._wanted.clear()
                    return

    def _dispatch(self, batch: Sequence[Recorded]) -> None:
        for recorded in batch:
            key = (recorded.commit.aggregate, recorded.commit.aggregate_id)
            for listener in (*self._listeners.get(key, {}).values(), *self._general_listeners.values()):
                listener(recorded)
