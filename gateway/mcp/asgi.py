"""Answers an aiohttp request by an ASGI application.

Specification: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from aiohttp import web

Message = MutableMapping[str, Any]
Application = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


async def respond(request: web.Request, application: Application) -> web.StreamResponse:
    """Return the finished response of `application`. Its body is sent as it comes.

    Raises:
        RuntimeError: the application did not respond.
    """
    exchange = _Exchange(request, await request.read())
    await application(_scope(request), exchange.receive, exchange.send)
    if exchange.response is None:
        raise RuntimeError(f"no response to {request.method} {request.path}")
    await exchange.response.write_eof()
    return exchange.response


class _Exchange:
    def __init__(self, request: web.Request, body: bytes) -> None:
        self.response: web.StreamResponse | None = None
        self._request = request
        self._body: bytes | None = body

    async def receive(self) -> Message:
        """The body, then nothing: aiohttp cancels the handler when the client disconnects."""
        body, self._body = self._body, None
        if body is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.response = web.StreamResponse(status=message["status"])
            for name, value in message.get("headers", ()):
                self.response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
            await self.response.prepare(self._request)
        elif self.response is not None and message.get("body"):
            await self.response.write(message["body"])


def _scope(request: web.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": f"{request.version.major}.{request.version.minor}",
        "method": request.method,
        "scheme": request.scheme,
        "path": request.path,
        "raw_path": request.rel_url.raw_path.encode(),
        "query_string": request.rel_url.raw_query_string.encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "client": None,
        "server": None,
    }
