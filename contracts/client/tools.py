"""Tools that steps can call."""

from __future__ import annotations

from contracts.api.tools import ToolDefinition
from contracts.client.http import Http, path

TOOLS = "tools"


class Tools:
    """Requests about tools."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(self) -> list[ToolDefinition]:
        """List all tools."""
        return await self._http.get(list[ToolDefinition], path(TOOLS))

    async def get(self, name: str) -> ToolDefinition:
        """Get the tool with a name."""
        return await self._http.get(ToolDefinition, path(TOOLS, name))
