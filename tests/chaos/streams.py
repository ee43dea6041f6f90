"""Clients that watch, and go on by Last-Event-ID whenever they are cut off."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

import aiohttp

from tests.chaos.world import RETRY_S, World

SILENT_S = 20
"""After so long without a byte a client connects again; heartbeats come every 15 s."""


EACH = 4
"""Of so many executions, one has a client that watches it."""

Receive = Callable[[dict[str, Any]], Any]
"""What a client writes down of an event; None: nothing."""


class Watched:
    """A client of one stream of events."""

    def __init__(self, world: World, path: str, told: Receive, ends: Collection[str] = ()) -> None:
        self.world = world
        self.told: list[Any] = []
        """What was told so far. The events of a commit that was cut off in the middle come again."""
        self.seq = 0
        self.over = asyncio.Event()
        """Set by an event of one of the types `ends`."""
        self._path = path
        self._told = told
        self._ends = ends
        self._whole = 0
        """How much of `told` is of commits told to their end."""

    async def run(self) -> None:
        """Watch until the stream is over, or until cancelled."""
        while not self.over.is_set():
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                await self._watch()
            await asyncio.sleep(RETRY_S)

    async def reaches(self, seq: int) -> None:
        """Return when it has been told of the log up to `seq`."""
        while self.seq < seq:
            await asyncio.sleep(RETRY_S)

    async def _watch(self) -> None:
        del self.told[self._whole :]
        url = f"{self.world.system.url}{self._path}"
        headers = {"last-event-id": str(self.seq)}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=SILENT_S)
        async with self.world.http.get(url, headers=headers, timeout=timeout) as answer:
            if answer.status != 200:
                return
            async for fields in _frames(answer.content):
                self._take(fields)

    def _take(self, fields: dict[str, str]) -> None:
        event = json.loads(fields.get("data") or "{}")
        told = self._told(event)
        if told is not None:
            self.told.append(told)
        if fields.get("id"):
            self.seq, self._whole = int(fields["id"]), len(self.told)
        if event.get("type") in self._ends:
            self._whole = len(self.told)
            self.over.set()


def everything(world: World) -> Watched:
    """A client of the stream of all events, which writes down their ids."""
    return Watched(world, "/api/v1/events", lambda event: event["id"] if "specversion" in event else None)


class ExecutionsWatched:
    """Clients of the streams of some executions, which write down what completes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clients: dict[str, Watched] = {}

    async def run(self) -> None:
        """Give every EACH-th execution a client; run until cancelled."""
        async with asyncio.TaskGroup() as watching:
            while True:
                accepted = [one.answer for one in self.world.accepted if one.kind == "execution"]
                for answer in accepted[::EACH]:
                    if (id_ := answer["executionId"]) not in self.clients:
                        self.clients[id_] = client = _execution(self.world, id_)
                        watching.create_task(client.run())
                await asyncio.sleep(RETRY_S)

    async def end(self) -> None:
        """Return when every client was told of the end of its execution."""
        for client in tuple(self.clients.values()):
            await client.over.wait()


def _execution(world: World, id_: str) -> Watched:
    completed, ended = "substep.completed", ("execution.completed", "execution.failed")

    def told(event: dict[str, Any]) -> Any:
        if event.get("type") == completed:
            return event["subStepId"]
        return event["type"] if event.get("type") in ended else None

    return Watched(world, f"/api/v1/dag-executions/{id_}/events", told, ended)


async def _frames(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, str]]:
    rest = b""
    async for piece in content.iter_any():
        rest += piece
        *frames, rest = rest.split(b"\n\n")
        for frame in frames:
            lines = (line.partition(":") for line in frame.decode().splitlines())
            yield {name: value.strip() for name, _, value in lines if name}
