"""Answers 404 to reads only if the views are up to date."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.http.errors import refusal_of
from gateway.views.reader import ViewsUnavailable

READS = ("GET", "HEAD")


def certain_misses(is_current: Callable[[], Awaitable[bool]]) -> Middleware:
    """Return a middleware that turns the 404 of a read into a 503 while the views lag behind the log.

    While the views are rebuilt, recent writes are only in the log.
    """

    @web.middleware
    async def confirm(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException:
            raise
        except Exception as error:
            refusal = refusal_of(error, request)
            missing = request.method in READS and refusal is not None and refusal.status == 404
            if missing and not await is_current():
                raise ViewsUnavailable("the views do not include the whole log yet") from error
            raise

    return confirm
