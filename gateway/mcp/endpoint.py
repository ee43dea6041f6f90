"""Serves `/mcp`: the tools of `contracts.mcp`, called with the key of the request.

Without sessions. Protocol:
https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module

from aiohttp import web
from aiohttp.hdrs import AUTHORIZATION
from aiohttp.typedefs import Handler

from contracts.client import Client
from contracts.core.event import Json
from contracts.openapi import Operation
from gateway.mcp.asgi import respond

PATH = "/mcp"


def mcp_handler(document: Callable[[], Json]) -> Handler:
    """Return the handler of POST requests. `document` returns the OpenAPI document of the API."""

    @cache
    def operations() -> Mapping[str, Operation]:
        from contracts.mcp.offered import offered  # noqa: PLC0415

        return offered(document())

    async def serve(request: web.Request) -> web.StreamResponse:
        # The SDK takes a second to import and 40 MiB, so only the first request imports it.
        await asyncio.to_thread(import_module, "contracts.mcp.server")
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: PLC0415

        from contracts.mcp.server import mcp_server  # noqa: PLC0415

        _, _, key = request.headers.get(AUTHORIZATION, "").partition(" ")
        async with Client(_own_address(request), api_key=key or None) as client:
            # Each request has its own server, because the tools are called with the key of the request.
            manager = StreamableHTTPSessionManager(mcp_server(client, operations()), stateless=True)
            async with manager.run():
                return await respond(request, manager.handle_request)

    return serve


def _own_address(request: web.Request) -> str:
    """The address that accepted the connection, where the API is served, too."""
    assert request.transport is not None
    host, port, *_ = request.transport.get_extra_info("sockname")
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
