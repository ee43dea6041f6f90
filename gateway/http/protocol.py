"""Connections: JSON answers to invalid HTTP, a connection limit, and a timeout for the first request."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import structlog
from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError, LineTooLong

from contracts.core.text import clean_text
from contracts.runtime.process.browsers import HEADERS
from contracts.settings.redactor import SECRETS
from gateway.http.errors import RETRY_AFTER_S, FrameworkRefusal, of_http
from gateway.http.replies import JSON

LONGEST_LINE = 8190
"""Maximum bytes of a URL or of a header."""
LONGEST_SHOWN = 200
HEAD_S = 20.0
"""Maximum seconds to receive the headers of the first request of a connection."""
LINGER_S = 10.0
"""Maximum seconds to read the rest of a body after the answer, so that the client can read the answer."""

FULL = FrameworkRefusal(503, "Too many open connections: try again in a moment")

logger = structlog.get_logger(__name__)


class Protocol(web.RequestHandler):
    """One connection."""

    __slots__ = ("_head_timer",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the connection, or refuse it if too many are open."""
        super().connection_made(transport)
        self._head_timer = self._loop.call_later(HEAD_S, self.force_close)
        if isinstance(self._manager, Server) and self._manager.is_full and self.transport:
            self.transport.write(_refused(FULL))
            self.force_close()

    def data_received(self, data: bytes) -> None:
        """Process received data."""
        super().data_received(data)
        if self._request_count:
            self._head_timer.cancel()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Clean up after the connection closed."""
        self._head_timer.cancel()
        super().connection_lost(exc)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log a failure. An unreadable rest of a body is not a failure, because it was already answered."""
        error = kw.get("exc_info")
        if isinstance(error, web.RequestPayloadError):
            logger.debug("the rest of a body cannot be read", error=str(error.__cause__ or error))
        else:
            super().log_exception(*args, **kw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to invalid data. The connection is closed after it.

        Raises:
            ConnectionError: `exc` itself, if the client has disconnected.
        """
        if isinstance(exc, ConnectionError):
            logger.debug("the client disconnected", remote=request.remote, error=str(exc))
            raise exc
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        refusal = _refusal(exc, message or "")
        logger.info("not a request in HTTP", remote=request.remote, error=refusal.body["message"])
        reply = refusal.reply()
        reply.force_close()
        return reply

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer. Errors of aiohttp before any middleware are sent as JSON, too."""
        answer = of_http(resp, request).reply() if isinstance(resp, web.HTTPException) else resp
        if not answer.prepared:
            for name, value in HEADERS.items():
                answer.headers.setdefault(name, value)
        return await super().finish_response(request, answer, start_time)


class Server(web.Server):
    """Creates connections of the class Protocol."""

    max_connections: int

    @classmethod
    def like(cls, other: web.Server, max_connections: int) -> Server:
        """Return a server of the same application with the same options."""
        server = cls(
            other.request_handler,
            request_factory=other.request_factory,
            handler_cancellation=other.handler_cancellation,
            **other._kwargs,  # noqa: SLF001  aiohttp has no public way to set the class of connections
        )
        server.max_connections = max_connections
        return server

    @property
    def is_full(self) -> bool:
        """Whether the connection limit is exceeded."""
        return len(self._connections) > self.max_connections

    def __call__(self) -> Protocol:
        """Create a connection."""
        return Protocol(self, loop=self._loop, lingering_time=LINGER_S, **self._kwargs)


def _refused(refusal: FrameworkRefusal) -> bytes:
    """Return a refusal as the raw answer to an unread request."""
    body = SECRETS.json(orjson.dumps(refusal.body))
    head = (
        f"HTTP/1.1 {refusal.status} {refusal.body['error']}\r\nContent-Type: {JSON}\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: {RETRY_AFTER_S}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _refusal(error: BaseException | None, message: str) -> FrameworkRefusal:
    if isinstance(error, LineTooLong):
        return FrameworkRefusal(
            431, f"The URL or a header is longer than {LONGEST_LINE} bytes: shorten it, or send a body"
        )
    if isinstance(error, ContentEncodingError):
        return FrameworkRefusal(
            400, "The Content-Encoding is not supported: use gzip or deflate, or leave that header out"
        )
    first, *rest = clean_text(message).strip().splitlines() or [""]
    shown = ": ".join([first.rstrip(": "), *(line.strip() for line in rest if line.strip(" ^"))])
    return FrameworkRefusal(400, f"Not a valid HTTP request: {shown[:LONGEST_SHOWN]}")
