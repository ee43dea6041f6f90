"""Which pages in a browser may call the API."""

from __future__ import annotations

from aiohttp import web

METHODS = "GET, HEAD, POST, PUT, DELETE, PATCH"
REQUEST_HEADERS = (
    "Content-Type, Authorization, Idempotency-Key, Last-Event-ID, Prefer, X-Request-Id, traceparent"
)
EXPOSED = "Content-Type, Cache-Control, Idempotency-Replayed, Location, Retry-After, X-Request-Id"


def is_preflight(request: web.Request) -> bool:
    """Whether a browser asks before it sends the request itself."""
    asks = "Origin" in request.headers and "Access-Control-Request-Method" in request.headers
    return request.method == "OPTIONS" and asks


def preflight_reply() -> web.Response:
    """What may be sent, whatever the path."""
    headers = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": REQUEST_HEADERS}
    return web.Response(status=204, headers=headers)


def allow(request: web.Request, response: web.StreamResponse, origins: frozenset[str]) -> None:
    """Tell the browser that a page of one of `origins` may read this answer."""
    response.headers.setdefault("Vary", "Origin")
    origin = request.headers.get("Origin")
    if origin in origins and "Access-Control-Allow-Origin" not in response.headers:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
