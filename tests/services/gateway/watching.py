"""A client's end of a stream of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from aiohttp import ClientError

from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.services.conftest import Api

LARGEST_FRAME = 8 * 1024 * 1024


class StreamEvent(NamedTuple):
    """One frame."""

    id: int | None
    event: str
    data: dict[str, Any]


class Watcher:
    """What a client is told."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.status: int = response.status
        self.headers = response.headers

    async def next(self) -> StreamEvent:
        """The next frame; fails when the stream has ended."""
        async with asyncio.timeout(WAIT_S):
            frame = (await self.response.content.readuntil(b"\n\n")).decode()
        fields = dict(line.split(": ", 1) for line in frame.splitlines() if line)
        data = orjson.loads(fields["data"])
        assert data["type"] == fields["event"]
        return StreamEvent(int(fields["id"]) if "id" in fields else None, fields["event"], data)

    async def some(self, count: int) -> list[StreamEvent]:
        return [await self.next() for _ in range(count)]

    async def until(self, event: str) -> list[StreamEvent]:
        """Frames up to and with the first of a type."""
        told = [await self.next()]
        while told[-1].event != event:
            told.append(await self.next())
        return told

    async def broken(self) -> bool:
        """Wait until the server cuts the connection. False: it ended the stream in an orderly way."""
        async with asyncio.timeout(WAIT_S):
            try:
                await self.response.content.read()
            except ClientError:
                return True
        return False

    async def ended(self) -> bool:
        async with asyncio.timeout(WAIT_S):
            return not await self.response.content.read()


@asynccontextmanager
async def watching_path(api: Api, path: str, **headers: str) -> AsyncGenerator[Watcher]:
    """A client of the stream at `path`; `headers` with _ for -."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with api.http.get(f"{api.url}{path}", headers=given, read_bufsize=LARGEST_FRAME) as response:
        yield Watcher(response)
