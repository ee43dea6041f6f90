"""Where tools come from while a process runs: MCP servers and HTTP APIs.

The tools of a server are added to the registry when it has listed them. While a server is away its tools stay
known to the executor, whose heartbeats do not name them; calls wait with `Retry`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from aiohttp import ClientSession

from executor.tools.artifacts import Artifacts
from executor.tools.openapi.api import Api
from executor.tools.openapi.config import read_config as read_apis
from executor.tools.registry import Registry
from executor.tools.settings import ToolSettings

START_S = 15.0
"""Seconds that a start waits for the sources. After that, steps that need a missing source wait."""


class ToolSource(Protocol):
    """Adds tools to a registry."""

    name: str
    """The first part of the names of its tools."""
    listed: asyncio.Event
    """Set when the tools have been added for the first time."""

    async def run(self) -> None:
        """A worker: add the tools, until cancelled."""
        ...


def tool_sources(settings: ToolSettings, tools: Registry, http: ClientSession) -> list[ToolSource]:
    """The MCP servers in the file MCP_CONFIG and the APIs in the file OPENAPI_TOOLS.

    `http`: a session without a guard; operators choose the addresses of APIs.

    Raises:
        WrongConfig: a file is not valid.
    """
    found: list[ToolSource] = []
    if settings.mcp_config:
        from executor.tools.mcp.config import read_config  # noqa: PLC0415  a second, and only if needed
        from executor.tools.mcp.server import McpServer  # noqa: PLC0415

        logs, artifacts = settings.data_dir / "mcp", Artifacts(settings.artifacts_dir)
        for name, config in read_config(settings.mcp_config).items():
            found.append(McpServer(name, config, logs, artifacts, tools.add))
    if settings.openapi_tools:
        apis = read_apis(settings.openapi_tools)
        found += [Api(name, config, http, tools.add) for name, config in apis.items()]
    tools.sources.update({source.name: source.listed.is_set for source in found})
    return found


async def listed(sources: Sequence[ToolSource]) -> None:
    """Wait until all sources have added their tools, but at most START_S seconds."""
    if sources:
        waiting = [asyncio.create_task(source.listed.wait()) for source in sources]
        _, late = await asyncio.wait(waiting, timeout=START_S)
        for task in late:
            task.cancel()
