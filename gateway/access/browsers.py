"""What pages in a browser may do: refused at the door, and told by CORS headers what they may read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from contracts.runtime.process.browsers import HEADERS, BrowserRules
from gateway.http.errors import FrameworkRefusal

METHODS = "GET, HEAD, POST, PUT, DELETE, PATCH"
REQUEST_HEADERS = (
    "Content-Type, Authorization, Idempotency-Key, Last-Event-ID, Prefer, X-Request-Id, traceparent"
)
EXPOSED = "Content-Type, Cache-Control, Idempotency-Replayed, Location, Retry-After, X-Request-Id"


def guarded(rules: BrowserRules) -> Middleware:
    """A middleware that refuses requests of pages that may not send them, and answers preflights."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if problem := rules.problem(request.method, request.headers):
            raise FrameworkRefusal(403, problem)
        return _preflight_reply() if _is_preflight(request) else await handler(request)

    return guard


def heads(
    origins: frozenset[str], credentialed: frozenset[str]
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """A signal handler that tells browsers who may read each answer, streams included.

    Pages of `origins` may; cookies and other credentials are sent along by those of `credentialed` only.
    """

    async def complete(request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin in origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = EXPOSED
        if origin in credentialed:
            headers["Access-Control-Allow-Credentials"] = "true"

    return complete


def _is_preflight(request: web.Request) -> bool:
    asks = "Origin" in request.headers and "Access-Control-Request-Method" in request.headers
    return request.method == "OPTIONS" and asks


def _preflight_reply() -> web.Response:
    """What may be sent, whatever the path."""
    headers = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": REQUEST_HEADERS}
    return web.Response(status=204, headers=headers)
