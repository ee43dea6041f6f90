"""Answers 404 to reads only if the views are up to date."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.http.errors import CertainRefusal, refusal_of
from gateway.views.reader import ViewsUnavailable

READS = ("GET", "HEAD")


def certain_misses(is_current: Callable[[], Awaitable[bool]]) -> Middleware:
    """Return a middleware for reads that would be answered 404: what they ask for may be only in the log yet.

    `is_current` waits for the views to include the log as it is now. Then the read is repeated. If the views
    lag behind, the answer is 503.
    """

    @web.middleware
    async def confirm(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except (web.HTTPException, CertainRefusal):
            raise
        except Exception as error:
            refusal = refusal_of(error, request)
            if request.method not in READS or refusal is None or refusal.status != 404:
                raise
            if not await is_current():
                raise ViewsUnavailable("the views do not include the whole log yet") from error
        return await handler(request)

    return confirm
