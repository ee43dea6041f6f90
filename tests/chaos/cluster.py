"""Several nats-servers in a cluster, each of which can be killed, stopped or cut off from the others."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

from deploy.local.nats_config import NO_LIMIT, quoted
from deploy.local.nats_keeper import keep_running
from deploy.local.nats_server import NatsServer, running
from deploy.local.system import NATS

ANSWERS_S = 60
"""The longest that a server may take to answer when nothing is done to it any more."""
LOOK_S = 0.2
NOBODY = "127.0.0.1:1"
"""The address that servers tell each other, so that they connect by links only."""
_ROUTES = re.compile(r"Listening for route connections on .*:(\d+)")

OnLine = Callable[[str, str], None]


class Link:
    """The way of one member to another: connections are passed on unless the link is cut."""

    def __init__(self, target: Member) -> None:
        self.target = target
        self.port = 0
        self._is_cut = False
        self._server: asyncio.Server | None = None
        self._streams: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Accept connections on a free port."""
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """End all connections and refuse further ones."""
        self._is_cut = True
        for stream in self._streams:
            stream.transport.abort()

    def heal(self) -> None:
        """Accept connections again."""
        self._is_cut = False

    def close(self) -> None:
        """End everything."""
        self.cut()
        if self._server:
            self._server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            self._keep(writer, stack)
            if self._is_cut:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self.target.routes_port)
            self._keep(back, stack)
            if not self._is_cut:
                await _either(_copy(reader, back), _copy(there, writer))

    def _keep(self, writer: asyncio.StreamWriter, stack: contextlib.ExitStack) -> None:
        self._streams.add(writer)
        stack.callback(self._streams.discard, writer)
        stack.callback(writer.transport.abort)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()


async def _either(*copies: Any) -> None:
    """Wait for the end of one, and end the other."""
    tasks = [asyncio.ensure_future(copy) for copy in copies]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Member(NatsServer):
    """One server of a cluster, without users."""

    def __init__(self, directory: Path, on_line: OnLine) -> None:
        super().__init__(directory, on_line=self._listen)
        self.routes_port = 1
        self.links: dict[str, Link] = {}
        """The links to the members that this one connects to, by their names."""
        self._tell = partial(on_line, directory.name)

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def answers(self) -> None:
        """Wait until it greets a client."""
        async with asyncio.timeout(ANSWERS_S):
            while not await self._greets():
                await asyncio.sleep(LOOK_S)

    async def _greets(self) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    return (await reader.readline()).startswith(b"INFO")
                finally:
                    writer.transport.abort()
        return False

    def _listen(self, line: str) -> None:
        self._tell(line)
        if found := _ROUTES.search(line):
            self.routes_port = int(found[1])

    def _configuration(self) -> str:
        routes = ", ".join(f'"nats://127.0.0.1:{link.port}"' for link in self.links.values())
        return f"""\
listen: "127.0.0.1:{self.port or -1}"
server_name: {self.name}
pid_file: {quoted(self.directory / "nats.pid")}
jetstream {{ store_dir: {quoted(self.directory / "jetstream")}, max_file_store: {NO_LIMIT} }}
cluster {{
  name: chaos
  listen: "127.0.0.1:-1"
  advertise: "{NOBODY}"
  no_advertise: true
  routes: [{routes}]
}}
"""


class Cluster:
    """Members that are linked with each other."""

    def __init__(self, members: list[Member]) -> None:
        self.members = {member.name: member for member in members}

    @property
    def url(self) -> str:
        """The URLs of all members, with commas."""
        return ",".join(member.url for member in self.members.values())

    async def cut_off(self, name: str, for_s: float) -> None:
        """Cut all links of one member for so many seconds. Its clients keep their connections."""
        links = self._links_of(name)
        try:
            for link in links:
                link.cut()
            await asyncio.sleep(for_s)
        finally:
            for link in links:
                link.heal()

    def _links_of(self, name: str) -> list[Link]:
        own = self.members[name].links.values()
        return [*own, *(one.links[name] for one in self.members.values() if one.name != name)]


@asynccontextmanager
async def running_cluster(data: Path, size: int, on_line: OnLine) -> AsyncGenerator[Cluster]:
    """Start `size` servers, each of which is started again when it ends."""
    members = [Member(data / f"{NATS}-{number}", on_line) for number in range(1, size + 1)]
    async with AsyncExitStack() as stack:
        for member, other in permutations(members, 2):
            link = member.links[other.name] = Link(other)
            await link.open()
            stack.callback(link.close)
        for member in members:
            await stack.enter_async_context(running(member))
            keeping = asyncio.create_task(keep_running(member, partial(on_line, member.name)))
            stack.push_async_callback(_cancelled, keeping)
        yield Cluster(members)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
