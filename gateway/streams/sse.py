"""Server-sent events: frames, and the clients that they are sent to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

import orjson
from aiohttp import HttpVersion11, web

from contracts.core.event import Json

WRITE_S = 30.0
"""A client that takes longer to read what it is sent at first is cut off."""
BEHIND_BYTES = 4 * 1024 * 1024
"""A client that has left more than this unread is cut off; it comes back and resumes by its id."""

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
}


def frame(event: dict[str, Json], event_id: int | None = None) -> bytes:
    """One event on the wire, named by its `type`. JSON has no raw line breaks, so its data is one line."""
    named = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%sevent: %s\ndata: %s\n\n" % (named, event["type"].encode(), orjson.dumps(event))


def last_event_id(request: web.Request) -> int | None:
    """The position a client wants to go on from, None when it gives none that could be one."""
    text = request.headers.get("Last-Event-ID") or request.query.get("lastEventId") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


@dataclass(frozen=True, slots=True)
class Piece:
    """What clients are sent at once, made ready for all of them."""

    data: bytes
    chunk: bytes
    """The same as a chunk of an HTTP/1.1 body."""

    @classmethod
    def of(cls, data: bytes) -> Piece:
        """The piece that consists of `data`, which must not be empty."""
        return cls(data, b"%x\r\n%s\r\n" % (len(data), data))


class Client(Protocol):
    """One open stream."""

    async def write(self, data: bytes) -> None:
        """Send what only this client gets; returns when most of it is on its way.

        Raises:
            ConnectionResetError: the client has left.
            TimeoutError: it does not read.
        """
        ...

    def push(self, piece: Piece) -> None:
        """Send what all clients get, without waiting. One that has left, or is too far behind, is let go."""
        ...

    def leave(self) -> None:
        """End the stream after what was sent."""
        ...

    async def left(self) -> None:
        """Wait for the end of the stream."""
        ...


class HttpClient:
    """A stream as the answer to a request.

    Pieces go straight to the connection: a thousand clients must not cost a thousand tasks for each event.
    """

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response = web.StreamResponse(headers=HEADERS)
        self._chunked = request.version >= HttpVersion11
        self._left = asyncio.Event()

    async def open(self) -> None:
        """Send the head of the answer."""
        if self._chunked:
            self.response.enable_chunked_encoding()
        await self.response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """See Client.write."""
        async with asyncio.timeout(WRITE_S):
            await self.response.write(data)

    def push(self, piece: Piece) -> None:
        """See Client.push."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            self._left.set()
        elif transport.get_write_buffer_size() > BEHIND_BYTES:
            self.cut_off()
        else:
            transport.write(piece.chunk if self._chunked else piece.data)

    def leave(self) -> None:
        """See Client.leave."""
        self._left.set()

    async def left(self) -> None:
        """See Client.left."""
        await self._left.wait()

    def cut_off(self) -> None:
        """Close the connection at once: what is unread would wait for a reader that does not read."""
        if self._request.transport is not None:
            self._request.transport.abort()
        self._left.set()
