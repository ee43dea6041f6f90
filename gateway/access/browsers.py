"""Access for pages in a browser: requests that are not allowed are refused, and answers have CORS headers."""

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
    """Return a middleware that refuses requests of pages that are not allowed, and answers preflights."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if problem := rules.problem(request.method, request.headers):
            raise FrameworkRefusal(403, problem)
        return _preflight_reply() if _is_preflight(request) else await handler(request)

    return guard


def heads(
    origins: frozenset[str], credentialed: frozenset[str]
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return a signal handler that adds the CORS headers to every answer, including streams.

    Pages of `origins` may read answers. Only pages of `credentialed` may send cookies and other credentials.
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
    """Return the allowed methods and headers, which are the same for every path."""
    headers = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": REQUEST_HEADERS}
    return web.Response(status=204, headers=headers)
