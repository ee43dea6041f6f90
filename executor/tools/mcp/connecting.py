"""Connects to an MCP server: starts its command, or opens its URL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, Implementation

from executor.tools.mcp.config import ServerConfig
from executor.tools.mcp.conversation import HELD_S
from executor.tools.mcp.tolerant import tolerant

US = Implementation(name="async-agent", version="1")


@asynccontextmanager
async def connected(config: ServerConfig, log: Path, asked: ElicitationFnT) -> AsyncGenerator[Client]:
    """A connection. A command writes its stderr to `log`. `asked` answers what a server asks during calls."""

    def session(transport: AbstractAsyncContextManager[Any]) -> Client:
        return Client(
            tolerant(transport), client_info=US, cache=None, mode=config.protocol, elicitation_callback=asked
        )

    if config.url:
        timeout = httpx2.Timeout(config.timeout_s, read=config.timeout_s + HELD_S)  # a held call is silent
        async with (
            httpx2.AsyncClient(headers=dict(config.headers), timeout=timeout) as http,
            session(streamable_http_client(config.url, http_client=http)) as client,
        ):
            yield _without_result_checks(client)
        return
    process = StdioServerParameters(
        command=config.command, args=list(config.args), env=dict(config.env), cwd=config.cwd
    )
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stderr:
        async with session(stdio_client(process, stderr)) as client:
            yield _without_result_checks(client)


def _without_result_checks(client: Client) -> Client:
    """Turn off the check of results by the output schemas of the server.

    Both come from the server, so the check protects from nothing. But one pattern could block this process.
    """

    async def accept(name: str, result: CallToolResult) -> None:
        del name, result

    client.session.validate_tool_result = accept  # type: ignore[method-assign]
    return client
