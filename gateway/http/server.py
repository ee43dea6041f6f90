"""The HTTP server, from its first connection to its last answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from contracts.runtime.process.service import UserError
from gateway.http.protocol import Server
from gateway.settings import GatewaySettings

BACKLOG = 1024
"""Connections that wait to be accepted, when a crowd comes at once."""

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def serving(app: web.Application, settings: GatewaySettings) -> AsyncGenerator[int]:
    """Serve `app` on HOST:PORT; yields the port. Leaving shuts it down and lets requests finish for GRACE_S.

    Raises:
        UserError: the address cannot be had.
    """
    runner = _Runner(app, access_log=None, shutdown_timeout=settings.grace_s)
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
    async def _make_server(self) -> web.Server:
        return Server.like(await super()._make_server())
