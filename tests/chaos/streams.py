"""Clients that watch, and go on by Last-Event-ID whenever they are cut off."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import aiohttp

from tests.chaos.world import RETRY_S, World

SILENT_S = 20
"""After so long without a byte a client connects again; heartbeats come every 15 s."""


class EverythingWatched:
    """A client of the stream of all events."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids: list[str] = []
        """Of the events told so far. Those of a commit that was cut off in the middle come again."""
        self.seq = 0
        self._whole = 0
        """How many of `ids` are of commits told to their end."""

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                await self._watch()
            await asyncio.sleep(RETRY_S)

    async def reaches(self, seq: int) -> None:
        """Return when it has been told of the log up to `seq`."""
        while self.seq < seq:
            await asyncio.sleep(RETRY_S)

    async def _watch(self) -> None:
        del self.ids[self._whole :]
        url = f"{self.world.system.url}/api/v1/events?after=0"
        headers = {"last-event-id": str(self.seq)} if self.seq else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=SILENT_S)
        async with self.world.http.get(url, headers=headers, timeout=timeout) as answer:
            if answer.status != 200:
                return
            async for fields in _frames(answer.content):
                data = fields.get("data")
                if data:
                    event = json.loads(data)
                    if "specversion" in event:
                        self.ids.append(event["id"])
                if fields.get("id"):
                    self.seq, self._whole = int(fields["id"]), len(self.ids)


async def _frames(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, str]]:
    rest = b""
    async for piece in content.iter_any():
        rest += piece
        *frames, rest = rest.split(b"\n\n")
        for frame in frames:
            lines = (line.partition(":") for line in frame.decode().splitlines())
            yield {name: value.strip() for name, _, value in lines if name}
