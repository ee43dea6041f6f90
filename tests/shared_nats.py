"""A NATS that many tests share. To empty it before a test costs a third of what a new one costs."""

from __future__ import annotations

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
        self._portal.call(self._remove_used)

    def remove_streams(self) -> None:
        """Remove all streams."""
        self._portal.call(self._remove_all)

    async def prepare(self) -> None:
        """Remove all streams, and learn how new ones look."""
        await self._remove_all()
        await ensure_topology(self._connection)
        self._new = {info["config"]["name"]: info["config"] for info in await self._streams()}

    async def _remove_used(self) -> None:
        for info in await self._streams():
            config, state = info["config"], info["state"]
            if state["last_seq"] or state["consumer_count"] or config != self._new.get(config["name"]):
                await self._remove(config["name"])

    async def _remove_all(self) -> None:
        for info in await self._streams():
            await self._remove(info["config"]["name"])

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
