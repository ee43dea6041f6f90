"""`async-agent parked`: list messages that a service gave up on, and deliver them again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from rich.text import Text

from contracts.runtime.consumer.parking import READERS, parked_messages, retry
from contracts.runtime.nats.connection import Connection, connect
from deploy.cli.layout import Rows
from deploy.cli.values import clock
from deploy.local.attach import attached
from deploy.terminal import Terminal


@asynccontextmanager
async def connection_to(data: Path | None, nats_url: str | None) -> AsyncGenerator[Connection]:
    """Connect to the NATS of the system on `data`. Default: the settings of the environment."""
    async with attached(data, nats_url) as nats, connect(nats.url, name="operator/parked") as connection:
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


async def redeliver(connection: Connection, numbers: Sequence[int], console: Terminal) -> None:
    """Deliver parked messages again; without numbers, all that a service can take.

    Raises:
        NotParked: no message has that number, or no service takes it.
    """
    parked = [] if numbers else await parked_messages(connection)
    wanted = numbers or [number for number, message in parked if message.consumer != READERS]
    for number in wanted:
        await retry(connection, number)
    if wanted or not parked:
        console.print(f"{len(wanted)} will be delivered again" if wanted else "nothing is parked")
    if len(parked) > len(wanted):
        console.print(
            f"{len(parked) - len(wanted)} of {len(parked)} are not commits, so no service takes them: "
            "`async-agent parked retry <number>` says how to remove one"
        )
