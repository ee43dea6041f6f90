"""Starting and stopping of the HTTP server."""

from __future__ import annotations

import resource
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiohttp import web

from contracts.core.user_error import UserError
from gateway.http.protocol import Server
from gateway.settings import GatewaySettings

BACKLOG = 1024
"""Maximum number of connections that wait to be accepted."""
IDLE_S = 75.0
"""Seconds after which an idle connection is closed."""
OTHER_FILES = 256
"""Number of file descriptors reserved for views, artifacts, NATS and models."""
MOST_FILES = 65536

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def serving(app: web.Application, settings: GatewaySettings) -> AsyncGenerator[int]:
    """Serve `app` on HOST:PORT and yield the port. At the end, requests have GRACE_S seconds to finish.

    Raises:
        UserError: the address is not available.
    """
    most = settings.max_connections or _raised_file_limit() - OTHER_FILES
    runner = _Runner(app, most, access_log=None, keepalive_timeout=IDLE_S, shutdown_timeout=settings.grace_s)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port, backlog=BACKLOG).start()
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise UserError(f"cannot listen on {where} ({error.strerror}); set HOST and PORT") from error
        port: int = runner.addresses[0][1]
        logger.info("listening", host=settings.host, port=port)
        yield port
    finally:
        await runner.cleanup()


class _Runner(web.AppRunner):
    def __init__(self, app: web.Application, max_connections: int, **options: Any) -> None:
        super().__init__(app, **options)
        self._max_connections = max_connections

    async def _make_server(self) -> web.Server:
        return Server.like(await super()._make_server(), self._max_connections)


def _raised_file_limit() -> int:
    """Raise the limit of open files as far as allowed, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
