"""What is no HTTP request at all: answered in JSON, like everything else, and logged in one line."""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from contracts.core.text import clean_text
from gateway.http.errors import FrameworkRefusal, of_http

LONGEST_LINE = 8190
"""Bytes of a URL or of a header."""
LONGEST_SHOWN = 200

logger = structlog.get_logger(__name__)


class Protocol(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what cannot be read, which ends the connection.

        Raises:
            ConnectionError: the same as `exc`: there is nobody left to answer.
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
        """Send the answer; what was refused before any middleware of ours in JSON, too."""
        answer = of_http(resp, request).reply() if isinstance(resp, web.HTTPException) else resp
        return await super().finish_response(request, answer, start_time)


class Server(web.Server):
    """Makes such connections."""

    @classmethod
    def like(cls, other: web.Server) -> Server:
        """A server of the same application with the same options."""
        return cls(
            other.request_handler,
            request_factory=other.request_factory,
            handler_cancellation=other.handler_cancellation,
            **other._kwargs,  # noqa: SLF001  aiohttp has no other way to have connections of one's own
        )

    def __call__(self) -> Protocol:
        """A new connection."""
        return Protocol(self, loop=self._loop, **self._kwargs)


def _refusal(error: BaseException | None, message: str) -> FrameworkRefusal:
    if isinstance(error, LineTooLong):
        return FrameworkRefusal(
            431, f"The URL or a header is longer than {LONGEST_LINE} bytes: shorten it, or send a body"
        )
    first, *rest = clean_text(message).strip().splitlines() or [""]
    shown = ": ".join([first.rstrip(": "), *(line.strip() for line in rest if line.strip(" ^"))])
    return FrameworkRefusal(400, f"Not a valid HTTP request: {shown[:LONGEST_SHOWN]}")
