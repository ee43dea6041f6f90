"""`async-agent tools`."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.api.tools import ToolDefinition
from contracts.client import Client
from deploy.cli.resources.command import command, group

app = group(__name__)


@command(app, "list")
async def find(client: Client) -> list[ToolDefinition]:
    """List the tools that the executors offer."""
    return await client.tools.find()


@command(app, "show")
async def show(
    client: Client, name: Annotated[str, typer.Argument(help="Name of the tool.")]
) -> ToolDefinition:
    """Show a tool and its parameters."""
    return await client.tools.get(name)
