"""`async-agent parked`: messages that a service gave up on, and delivering them again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from rich.text import Text

from contracts.runtime.consumer.parking import parked_messages, retry
from contracts.runtime.nats.connection import Connection, connect
from deploy.cli.layout import Rows
from deploy.cli.values import clock
from deploy.local.attach import attached
from deploy.terminal import Terminal


@asynccontextmanager
async def connection_to(data: Path | None, nats_url: str | None) -> AsyncGenerator[Connection]:
    """The NATS of the system on `data`; by default as the environment says."""
    async with attached(data, nats_url) as nats, connect(nats.url, name="parked") as connection:
        yield connection


async def show_parked(connection: Connection, console: Terminal) -> None:
    """Print every parked message, oldest first."""
    messages = await parked_messages(connection)
    if not messages:
        console.print("nothing is parked")
        return
    rows = [
        (
            str(number),
            clock(message.time),
            message.consumer,
            f"{message.subject} ({message.seq})",
            f"{message.error}: {message.reason} (attempt {message.attempt})",
        )
        for number, message in messages
    ]
    headers = ("number", "since", "service", "message", "why")
    console.print_whole(Rows(headers, [[Text(cell) for cell in row] for row in rows]))


async def put_back(connection: Connection, numbers: Sequence[int], console: Terminal) -> None:
    """Deliver parked messages again; all of them when no number is given.

    Raises:
        NotParked: no message has that number.
    """
    wanted = numbers or [number for number, _ in await parked_messages(connection)]
    for number in wanted:
        await retry(connection, number)
    console.print(f"{len(wanted)} will be delivered again" if wanted else "nothing is parked")
