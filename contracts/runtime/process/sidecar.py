"""The side port of every service: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from contracts.runtime.process.browsers import HEADERS, BrowserRules
from contracts.runtime.process.settings import Settings
from contracts.settings.redactor import SECRETS

Check = Callable[[], Awaitable[str | None]]
"""A readiness check. Returns None if all is well; otherwise the problem and its remedy."""


class CannotListen(Exception):
    """The address of the side port is not available. The message says which settings to change."""


@asynccontextmanager
async def side_port(settings: Settings, checks: Mapping[str, Check]) -> AsyncGenerator[int]:
    """Serve health and metrics on METRICS_HOST:METRICS_PORT; yields the port.

    Raises:
        CannotListen: the address is not available.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        problems = {name: problem for name, check in checks.items() if (problem := await check())}
        status = "not ready" if problems else "ready"
        text = SECRETS.text(json.dumps({"status": status, "problems": problems}))
        return web.json_response(text=text, status=503 if problems else 200)

    async def metrics(_: web.Request) -> web.Response:
        for check in checks.values():  # they set gauges
            await check()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    rules = BrowserRules(frozenset(settings.allowed_hosts))

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if problem := rules.problem(request.method, request.headers):
            return web.json_response({"error": problem}, status=403)
        return await handler(request)

    app = web.Application(middlewares=[guard])
    app.on_response_prepare.append(_harden)
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await _listen(runner, settings.metrics_host, settings.metrics_port)
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise CannotListen(
            f"cannot serve metrics on {host}:{port} ({error.strerror}); set METRICS_HOST and METRICS_PORT, "
            "0 for any free port"
        ) from error


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
