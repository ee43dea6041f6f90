"""`async-agent tools`."""

from __future__ import annotations

from contracts.api.tools import ToolDefinition
from contracts.client import Client
from deploy.cli.resources.command import command, group

app = group(__name__)


@command(app, "list")
async def find(client: Client) -> list[ToolDefinition]:
    """What the executors offer."""
    return await client.tools.find()


@command(app, "show")
async def show(client: Client, name: str) -> ToolDefinition:
    """What one takes."""
    return await client.tools.get(name)
