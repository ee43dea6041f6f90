"""An MCP server with a tool that can be called as a task only. Run it as a program: over stdio."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool, ToolExecution

SCHEMA = {"type": "object"}
TOOLS = [
    Tool(name="quick", input_schema=SCHEMA),
    Tool(name="lengthy", input_schema=SCHEMA, execution=ToolExecution(task_support="required")),
]


async def list_tools(*_: Any) -> ListToolsResult:
    """Both tools."""
    return ListToolsResult(tools=TOOLS)


async def call_tool(*_: Any) -> CallToolResult:
    """The same answer for both."""
    return CallToolResult(content=[TextContent(text="done")])


async def main() -> None:
    """Serve until the input ends."""
    server: Server[Any] = Server("tasks", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())


asyncio.run(main())
