"""An MCP server, made with the official SDK, whose tools ask the user. Run it as a program: over stdio."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp_types import ToolAnnotations
from pydantic import BaseModel

server = MCPServer("asking")
CALLS = Path(os.environ["CALLS"])


def count(call: str) -> None:
    """Note that a tool was called."""
    with CALLS.open("a") as calls:
        calls.write(f"{call}\n")


class Guests(BaseModel):
    """How many come."""

    guests: int


class Seats(BaseModel):
    """Where they sit."""

    outside: bool


@server.tool(structured_output=False)
async def book(where: str, context: Context) -> str:
    """It asks in the middle of the call, twice."""
    count(f"book {where}")
    guests = await context.elicit(f"How many guests at {where}?", schema=Guests)
    if guests.action != "accept":
        return f"not booked: {guests.action}"
    seats = await context.elicit(f"Outside at {where}?", schema=Seats)
    if seats.action != "accept":
        return f"not booked: {seats.action}"
    return f"{where} for {guests.data.guests}, {'outside' if seats.data.outside else 'inside'}"


@server.tool(annotations=ToolAnnotations(read_only_hint=True), structured_output=False)
async def look(where: str, context: Context) -> str:
    """It changes nothing, and asks in the middle of the call."""
    count(f"look {where}")
    guests = await context.elicit(f"Look at {where} for how many?", schema=Guests)
    return f"{where}: {guests.action}" + (f" {guests.data.guests}" if guests.action == "accept" else "")


async def number_of_guests(where: str) -> Elicit[Guests]:
    """The question of `reserve`."""
    return Elicit(f"How many guests at {where}?", Guests)


@server.tool(structured_output=False)
async def reserve(where: str, guests: Annotated[Guests, Resolve(number_of_guests)]) -> str:
    """It asks before the call, in the way that the protocol has it."""
    count(f"reserve {where}")
    return f"{where} for {guests.guests}"


if __name__ == "__main__":
    server.run("stdio")
