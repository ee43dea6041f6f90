"""Middlewares of every request: tracing, metrics, logging and error answers."""

from __future__ import annotations

import time

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.http.errors import internal_error, refusal_of
from gateway.http.metrics import count_request
from gateway.http.tracing import REQUEST_ID, TRACE, Trace

logger = structlog.get_logger(__name__)

HEADERS: web.RequestKey[dict[str, str]] = web.RequestKey("headers", dict)
"""Request key: headers to add to the answer."""
PROBES = frozenset({"/health", "/health/ready"})
"""Paths that are asked every few seconds. They have no rate limit, and are logged as `debug`."""
STARTED = web.RequestKey("started", bool)
"""Request key: set after the headers of the answer are sent."""


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Set the request id, count the request, and log one line after it is answered."""
    trace = request[TRACE] = Trace.of(request)
    request[HEADERS] = {REQUEST_ID: trace.request_id}
    began = time.perf_counter()
    status = 499
    structlog.contextvars.bind_contextvars(request_id=trace.request_id)  # each request is a task of its own
    try:
        response = await handler(request)
        status = response.status
    finally:
        seconds = time.perf_counter() - began
        count_request(request, status, seconds)
        ms = round(seconds * 1000, 2)
        log = logger.debug if request.path in PROBES else logger.info
        log("request", method=request.method, path=request.path, status=status, ms=ms)
    return response


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn exceptions into answers.

    Raises:
        ConnectionError: the client has disconnected, or part of the answer is already sent.
    """
    try:
        return await handler(request)
    except Exception as error:
        if isinstance(error, ConnectionError) and request.transport is None:
            raise
        refusal = refusal_of(error, request)
        if refusal is None:
            logger.exception("a request failed", method=request.method, path=request.path)
            refusal = internal_error(request[TRACE].request_id)
        elif refusal.status >= 500:
            logger.warning("a request cannot be served", error=str(error), cause=str(error.__cause__))
        if STARTED in request or request.transport is None:
            raise ConnectionAbortedError("the answer cannot be completed") from error
        reply = refusal.reply()
        if isinstance(error, web.RequestPayloadError) or refusal.status == 408:
            reply.force_close()
        return reply


async def complete_head(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: add the headers that the request collected to its answer."""
    request[STARTED] = True
    response.headers.update(request.get(HEADERS, {}))
