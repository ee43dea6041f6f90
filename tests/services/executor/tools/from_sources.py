"""Tools of MCP servers and HTTP APIs, as an executor starts them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from executor.tools.registry import Registry
from executor.tools.settings import ToolSettings
from executor.tools.sources import ToolSource, listed, tool_sources


@asynccontextmanager
async def tools_of(
    folder: Path, setting: str, configuration: Any
) -> AsyncGenerator[tuple[Registry, list[ToolSource]]]:
    """A registry with the tools of the sources in a file that `setting` names."""
    path = folder / "sources.json"
    path.write_text(json.dumps(configuration))
    given: dict[str, Any] = {setting: path, "data_dir": folder, "artifacts_dir": folder / "artifacts"}
    settings = ToolSettings(**given)
    registry = Registry({})
    async with ClientSession() as http:
        found = tool_sources(settings, registry, http)
        running = [asyncio.create_task(source.run()) for source in found]
        try:
            await listed(found)
            yield registry, found
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)
