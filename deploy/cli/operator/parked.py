"""`async-agent parked`: messages that a service gave up on, and giving them back to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.runtime.consumer.parking import parked_messages, retry
from contracts.runtime.nats.connection import Connection, connect
from deploy.local.attach import attached


@asynccontextmanager
async def connection_to(data: Path | None, nats_url: str | None) -> AsyncGenerator[Connection]:
    """The NATS of the system on `data`; by default as the environment says."""
    async with attached(data, nats_url) as nats, connect(nats.url, name="parked") as connection:
        yield connection


async def show_parked(connection: Connection, console: Console) -> None:
    """Print all that is parked, oldest first."""
    messages = await parked_messages(connection)
    if not messages:
        console.print("nothing is parked")
        return
    table = Table("number", "since", "service", "message", "why", title_justify="left")
    for number, message in messages:
        since = message.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        why = Text(f"{message.error}: {message.reason} (attempt {message.attempt})")
        table.add_row(str(number), since, message.consumer, f"{message.subject} ({message.seq})", why)
    console.print(table)


async def put_back(connection: Connection, numbers: Sequence[int], console: Console) -> None:
    """Give parked messages to their services again; all of them when no number is given.

    Raises:
        NotParked: there is none of that number.
    """
    wanted = numbers or [number for number, _ in await parked_messages(connection)]
    for number in wanted:
        await retry(connection, number)
    console.print(f"{len(wanted)} given back" if wanted else "nothing is parked")
