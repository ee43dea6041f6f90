"""Server-sent events: the frames, and one client's stream of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
from aiohttp import web

from contracts.event import Json

WRITE_S = 30.0
"""A client that takes longer to read what was sent is cut off."""

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
    "Access-Control-Allow-Credentials": "true",
}


class Lagging(Exception):
    """The client has read too slowly: what it needs next is not at hand any more."""


def frame(event: dict[str, Json], event_id: int | None = None) -> bytes:
    """One event on the wire, named by its `type`. JSON has no raw line breaks, so its data is one line."""
    named = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%sevent: %s\ndata: %s\n\n" % (named, event["type"].encode(), orjson.dumps(event))


def last_event_id(request: web.Request) -> int | None:
    """The position a client wants to go on from, None when it gives none that could be one."""
    text = request.headers.get("Last-Event-ID") or request.query.get("lastEventId") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


async def send(request: web.Request, frames: AsyncIterator[bytes]) -> web.StreamResponse:
    """Stream `frames` until they end, the client leaves, or it stops reading."""
    origin = request.headers.get("Origin", "*")
    response = web.StreamResponse(headers={**HEADERS, "Access-Control-Allow-Origin": origin})
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    try:
        async for data in frames:
            async with asyncio.timeout(WRITE_S):
                await response.write(data)
    except (ConnectionResetError, TimeoutError, Lagging):
        _cut_off(request)
    return response


def _cut_off(request: web.Request) -> None:
    """Close at once: what is still in the buffer would wait for a reader that does not read."""
    if request.transport is not None:
        request.transport.abort()
