"""All MCP servers of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from executor.tools.registry import Registry
from executor.tools.settings import ToolSettings

if TYPE_CHECKING:
    from executor.tools.mcp.server import McpServer

START_S = 15.0
"""Seconds that a start waits for the servers. After that, a step whose server is missing fails or waits."""


def mcp_servers(settings: ToolSettings, tools: Registry) -> list[McpServer]:
    """The servers in the file MCP_CONFIG, none if it is not set. They add their tools to `tools`.

    Raises:
        WrongConfig: the file is not valid.
    """
    if settings.mcp_config is None:
        return []
    from executor.tools.mcp.config import read_config  # noqa: PLC0415  a second, and only if needed
    from executor.tools.mcp.server import McpServer  # noqa: PLC0415

    logs = settings.data_dir / "mcp"
    return [
        McpServer(name, config, logs, tools.add) for name, config in read_config(settings.mcp_config).items()
    ]


async def listed(servers: Sequence[McpServer]) -> None:
    """Wait until all servers have listed their tools, but at most START_S seconds."""
    if servers:
        waiting = [asyncio.create_task(server.listed.wait()) for server in servers]
        _, late = await asyncio.wait(waiting, timeout=START_S)
        for task in late:
            task.cancel()
