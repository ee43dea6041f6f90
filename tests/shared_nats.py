"""A NATS that many tests share. To empty it before a test costs a third of what a new one costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from yarl import URL

from contracts.core.event import Json
from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.permissions import OPERATOR
from contracts.runtime.process.settings import Durability
from contracts.runtime.topology import ensure_topology
from deploy.local.nats_server import NatsServer, running
from tests.waiting import WAIT_S


class SharedNats:
    """A NATS that no test may stop. It lives in a thread, because each test has its own event loop."""

    def __init__(self, url_for: Callable[[str], str], connection: Connection, portal: BlockingPortal) -> None:
        self.url = url_for(OPERATOR)
        self.url_for = url_for
        self.port = URL(self.url).port
        self._connection = connection
        self._portal = portal
        self._new: dict[str, Json] = {}
        """The configuration of each stream that `ensure_topology` creates."""

    def empty(self) -> None:
        """Remove all messages, consumers, and streams that are not as `ensure_topology` creates them."""
        self._portal.call(self._replace_used)

    def remove_streams(self) -> None:
        """Remove all streams. New streams of the same names are empty."""
        self._portal.call(self._remove_all)

    async def prepare(self) -> None:
        """Remove all streams, and learn how new ones look."""
        await self._remove_all()
        await ensure_topology(self._connection)
        self._new = {info["config"]["name"]: info["config"] for info in await self._streams()}

    async def _replace_used(self) -> None:
        used = [info["config"]["name"] for info in await self._streams() if self._is_used(info)]
        for name in used:
            await self._remove(name)
        for name in used:
            await self._create_empty(name)
            if name not in self._new:
                await self._remove(name)

    def _is_used(self, info: Any) -> bool:
        config, state = info["config"], info["state"]
        is_new: bool = config == self._new.get(config["name"])
        return not is_new or state["last_seq"] > 0 or state["consumer_count"] > 0

    async def _remove_all(self) -> None:
        await self._replace_used()
        for info in await self._streams():
            await self._remove(info["config"]["name"])

    async def _create_empty(self, name: str) -> None:
        """Create the stream; remove it and create it again until it is empty.

        nats-server moves the files of a removed stream aside and removes them in the background. While those
        of the removal before are still there, moving fails, which the server does not report, and the next
        stream of that name has the messages of the removed one.
        """
        config = self._new.get(name, {"name": name})
        async with asyncio.timeout(WAIT_S):
            while (await self._connection.api(f"STREAM.CREATE.{name}", config))["state"]["last_seq"]:
                await self._remove(name)

    async def _streams(self) -> list[Any]:
        return (await self._connection.api("STREAM.LIST"))["streams"] or []

    async def _remove(self, name: str) -> None:
        await self._connection.api(f"STREAM.DELETE.{name}")


@contextmanager
def shared_nats(url: str) -> Iterator[SharedNats]:
    """The NATS at `url`, which has no users."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_prepared(lambda _: url, portal)) as shared,
    ):
        yield shared


@contextmanager
def shared_server(directory: Path) -> Iterator[SharedNats]:
    """A nats-server of the wheel, with the users of a system."""
    server = NatsServer(directory, durability=Durability.FAST)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running(server)),
        portal.wrap_async_context_manager(_prepared(server.url_for, portal)) as shared,
    ):
        yield shared


@asynccontextmanager
async def _prepared(url_for: Callable[[str], str], portal: BlockingPortal) -> AsyncGenerator[SharedNats]:
    async with connect(url_for(OPERATOR), name="emptying") as connection:
        shared = SharedNats(url_for, connection, portal)
        await shared.prepare()
        yield shared
