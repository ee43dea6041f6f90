"""The feeds of watched runs: one per run and dialect, as long as it has clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import nats.errors
import structlog
from aiohttp import web
from nats.aio.msg import Msg

from contracts.core.subjects import live_run
from contracts.runtime.blobs import Blobs
from contracts.runtime.log import Log, Unavailable
from contracts.runtime.nats.connection import Connection
from gateway.streams.dialect import Dialect
from gateway.streams.feed import Feed, Input
from gateway.streams.hub import Hub
from gateway.streams.sse import CLIENTS, HttpClient, last_event_id

HEARTBEAT_S = 15.0

logger = structlog.get_logger(__name__)


class Live(Protocol):
    """The source of the progress of tools."""

    def listening(self, run_id: str, listener: Callable[[bytes], None]) -> AbstractAsyncContextManager[None]:
        """Pass every message about one run to `listener`."""
        ...


class NatsLive:
    """Progress on core NATS."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def listening(self, run_id: str, listener: Callable[[bytes], None]) -> AsyncGenerator[None]:
        """Subscribe to one run's subject."""

        async def on_message(msg: Msg) -> None:
            listener(msg.data)

        subscription = await self._connection.nc.subscribe(live_run(run_id), cb=on_message)
        try:
            yield
        finally:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()


@dataclass(eq=False)
class _SharedFeed:
    feed: Feed
    clients: int = 0
    ready: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    keeper: asyncio.Task[None] | None = None


class Feeds:
    """Opens a feed for the first client of a run, and closes it after the last client."""

    def __init__(
        self,
        hub: Hub,
        log: Log,
        blobs: Blobs,
        clock: Callable[[], datetime],
        live: Live | None = None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._hub = hub
        self._log = log
        self._blobs = blobs
        self._clock = clock
        self._live = live
        self._heartbeat_s = heartbeat_s
        self._watched: dict[tuple[Dialect, str], _SharedFeed] = {}

    @asynccontextmanager
    async def watching(self, run_id: str, dialect: Dialect) -> AsyncGenerator[Feed]:
        """Yield the feed of one run in a dialect. It is kept current until the end of the block.

        `is_known` of the feed states whether the run exists.

        Raises:
            Unavailable: the log could not be read.
        """
        key = dialect, run_id
        watched = self._watched.get(key)
        if watched is None or watched.feed.closed:
            feed = Feed(run_id, self._log, self._blobs, self._clock, dialect)
            watched = self._watched[key] = _SharedFeed(feed)
            watched.keeper = asyncio.create_task(self._maintain(watched))
        watched.clients += 1
        try:
            await asyncio.shield(watched.ready)
            yield watched.feed
        finally:
            watched.clients -= 1
            if not watched.clients:
                if self._watched.get(key) is watched:
                    del self._watched[key]
                await _end(watched)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        for watched in self._watched.values():
            watched.feed.close()

    async def _maintain(self, watched: _SharedFeed) -> None:
        feed, ready = watched.feed, watched.ready
        inbox: asyncio.Queue[Input] = asyncio.Queue()
        beating = asyncio.create_task(self._beat(feed))
        try:
            async with AsyncExitStack() as listening:
                for source in feed.sources:
                    await listening.enter_async_context(self._hub.listening(*source, inbox.put_nowait))
                if self._live:
                    await listening.enter_async_context(self._live.listening(feed.run_id, inbox.put_nowait))
                await feed.open()
                await self._hub.readable(feed.seq)
                ready.set_result(None)
                while not feed.closed:
                    await feed.send(await _drain(inbox))
        except Exception as error:
            if ready.done():
                logger.exception("a stream failed; its clients will reconnect", run=feed.run_id)
            else:
                ready.set_exception(error)
        finally:
            beating.cancel()
            feed.close()

    async def _beat(self, feed: Feed) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            await feed.beat()


async def answer(feed: Feed, request: web.Request) -> web.StreamResponse:
    """Send the stream as the answer to a request, until the client disconnects or the feed is closed."""
    client = HttpClient(request)
    await client.open()
    if request.method != "HEAD":
        try:
            with CLIENTS.track_inprogress():
                await feed.serve(client, last_event_id(request))
        except (ConnectionResetError, TimeoutError, Unavailable):
            client.cut_off()
    return client.response


async def _end(watched: _SharedFeed) -> None:
    if watched.keeper is not None:
        watched.keeper.cancel()
        await asyncio.wait([watched.keeper])


async def _drain(inbox: asyncio.Queue[Input]) -> list[Input]:
    """Wait for input and return all that has arrived. Under load, many events are sent as one piece."""
    inputs = [await inbox.get()]
    while not inbox.empty():
        inputs.append(inbox.get_nowait())
    return inputs
