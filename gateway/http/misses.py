"""What a read does not find is only missing if the views include the whole log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.http.errors import refusal_of
from gateway.views.reader import ViewsUnavailable

READS = ("GET", "HEAD")


def certain_misses(is_current: Callable[[], Awaitable[bool]]) -> Middleware:
    """A middleware that answers 404 to a read once the views are at the head of the log, and 503 before.

    While the views are built anew, what was accepted meanwhile is in the log only.
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
