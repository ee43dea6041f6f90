"""`async-agent mcp`: the system as an MCP server on standard input and output, for desktop hosts."""

from __future__ import annotations

from mcp.server.stdio import stdio_server

from contracts.client import Client
from contracts.mcp.offered import offered
from contracts.mcp.server import mcp_server
from deploy.cli.execute import Status


async def serve_stdio(url: str, api_key: str | None) -> Status:
    """Serve until standard input ends.

    Raises:
        ClientError: the system does not answer, or refuses the key.
    """
    async with Client(url, api_key=api_key) as client:
        server = mcp_server(client, offered(await client.call("GET", "/openapi.json")))
        async with stdio_server() as (messages, answers):
            await server.run(messages, answers, server.create_initialization_options())
    return Status.DONE
