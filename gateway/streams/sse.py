"""Server-sent events: encoding and the connections to clients."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

import orjson
from aiohttp import HttpVersion11, web
from prometheus_client import Gauge

from contracts.core.event import Json
from contracts.settings.redactor import SECRETS

SLICE_BYTES = 64 * 1024
"""Bytes of the past that are sent at once. A client that does not read has few of them in its buffer."""
WRITE_S = 30.0
"""Maximum seconds to send one slice. Slower clients are disconnected."""
BEHIND_BYTES = 1024 * 1024
"""Maximum unread bytes of a client. Slower clients are disconnected. They can resume by `id`."""

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
}

CLIENTS = Gauge("gateway_stream_clients", "Clients that follow a stream of events")


def frame(event: dict[str, Json], event_id: int | None = None) -> bytes:
    """Encode an event, with secrets redacted. Its name is its `type`.

    JSON has no raw line breaks, so the data is one line.
    """
    named = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%sevent: %s\ndata: %s\n\n" % (named, event["type"].encode(), SECRETS.json(orjson.dumps(event)))


def last_event_id(request: web.Request) -> int | None:
    """Return the position to resume from, or None if it is missing or invalid."""
    text = request.headers.get("Last-Event-ID") or request.query.get("lastEventId") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes to send to many clients, encoded once."""

    data: bytes
    chunk: bytes
    """The data as a chunk of an HTTP/1.1 body."""

    @classmethod
    def of(cls, data: bytes) -> Piece:
        """Return a piece of `data`, which must not be empty."""
        return cls(data, b"%x\r\n%s\r\n" % (len(data), data))


class Client(Protocol):
    """One open stream."""

    async def write(self, data: bytes) -> None:
        """Send data to this client only. Returns when most of it has left the buffer.

        Raises:
            ConnectionResetError: the client has disconnected.
            TimeoutError: the client does not read.
        """
        ...

    def push(self, piece: Piece) -> None:
        """Send a piece without waiting. A client that is too far behind is disconnected."""
        ...

    def close(self) -> None:
        """End the stream after the data sent so far."""
        ...

    async def wait_closed(self) -> None:
        """Wait for the end of the stream."""
        ...


class HttpClient:
    """A stream that answers a request.

    Pieces are written to the connection directly, because a task per client and event would be too slow.
    """

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response = web.StreamResponse(headers=HEADERS)
        self._chunked = request.version >= HttpVersion11
        self._closed = asyncio.Event()

    async def open(self) -> None:
        """Send the headers of the answer."""
        if self._chunked:
            self.response.enable_chunked_encoding()
        await self.response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """See Client.write."""
        for start in range(0, len(data), SLICE_BYTES):
            async with asyncio.timeout(WRITE_S):
                await self.response.write(data[start : start + SLICE_BYTES])

    def push(self, piece: Piece) -> None:
        """See Client.push."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            self._closed.set()
        elif transport.get_write_buffer_size() > BEHIND_BYTES:
            self.cut_off()
        else:
            transport.write(piece.chunk if self._chunked else piece.data)

    def close(self) -> None:
        """See Client.close."""
        self._closed.set()

    async def wait_closed(self) -> None:
        """See Client.wait_closed."""
        await self._closed.wait()

    def cut_off(self) -> None:
        """Close the connection at once and discard unread data."""
        if self._request.transport is not None:
            self._request.transport.abort()
        self._closed.set()
