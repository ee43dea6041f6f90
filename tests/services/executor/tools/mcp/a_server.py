"""An MCP server made with the official SDK. Run it as a program: over stdio, or with `http PORT`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

server = MCPServer("test")

READ = ToolAnnotations(read_only_hint=True)


class Weather(BaseModel):
    """What the tool `weather` says."""

    city: str
    degrees: float


@server.tool(annotations=READ)
def weather(city: str, days: int = 1) -> Weather:
    """The weather of a city."""
    return Weather(city=city, degrees=20.5 + days)


class Backtracking(BaseModel):
    """What the tool `backtracking` says. Python's `re` would match the pattern for ever."""

    text: str = Field(json_schema_extra={"pattern": "^(a+)+$"})


@server.tool(annotations=READ)
def backtracking() -> Backtracking:
    """A text that does not match the pattern in the output schema."""
    return Backtracking(text="a" * 50 + "!")


@server.tool(annotations=ToolAnnotations(idempotent_hint=True), structured_output=False)
def text() -> str:
    """A text."""
    return "plain"


@server.tool(structured_output=False)
def listing() -> str:
    """JSON in a text."""
    return '[{"a": 1}]'


@server.tool(structured_output=False)
def fails() -> str:
    """It fails."""
    raise ToolError("no such flight")


@server.tool(structured_output=False)
def picture() -> Image:
    """An image."""
    return Image(data=b"\x89PNG", format="png")


@server.tool(structured_output=False)
def secret_of_executor() -> str:
    """Whether the server sees the environment of the executor."""
    return f"{os.environ.get('SMTP_PASS', 'unset')} {os.environ.get('GIVEN', 'unset')}"


@server.tool(structured_output=False)
def crash() -> str:
    """The process ends during the call."""
    crashes = Path(os.environ["CRASHES"])
    crashes.write_text((crashes.read_text() if crashes.exists() else "") + "x")
    os._exit(3)


@server.tool(annotations=READ, structured_output=False)
async def slow(context: Context) -> str:
    """It tells its progress."""
    await context.report_progress(1, 2, "half of it")
    return "done"


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")
