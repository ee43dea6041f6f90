"""`async-agent events`."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.text import Text

from contracts.client import Client, LogEvent
from deploy.cli.execute import Status, execute
from deploy.cli.options import DEFAULT_URL, Url
from deploy.cli.resources.command import group
from deploy.cli.tables import COLOURS
from deploy.cli.watch.follow import whole

app = group(__name__)

LINE_CHARACTERS = 240
"""Where no terminal says how much there is room for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events to print."""

    aggregates: tuple[str, ...]
    id: str | None
    types: tuple[str, ...]
    after: int | None

    def of(self, client: Client) -> AsyncGenerator[LogEvent]:
        """Those events, without end."""
        return client.events(
            aggregates=self.aggregates or None,
            aggregate_id=self.id,
            types=self.types or None,
            after=self.after,
        )


@app.command("follow")
def follow(
    aggregate: Annotated[
        list[str] | None, typer.Option(help="Only of this kind, such as `run`; one at a time.")
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="Only of the goal, run, DAG … with this id.")
    ] = None,
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="Only such as `run.completed`; one at a time.")
    ] = None,
    after: Annotated[
        int | None,
        typer.Option(min=0, help="Begin after this place in the log; 0: all. Default: from now on."),
    ] = None,
    most: Annotated[int | None, typer.Option("--count", min=1, help="End after so many.")] = None,
    url: Url = DEFAULT_URL,
    as_json: Annotated[
        bool, typer.Option("--json", help="CloudEvents with their `seq`, one a line.")
    ] = False,
) -> None:
    """Follow the log until Ctrl-C; broken connections are made again, and nothing is missed."""
    wanted = Wanted(tuple(aggregate or ()), id_, tuple(type_ or ()), after)
    try:
        status = execute(_followed(url, wanted, most, as_json=as_json), interrupted=Status.DONE)
    except BrokenPipeError:  # whoever read this has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = Status.DONE
    raise typer.Exit(status)


async def _followed(url: str, wanted: Wanted, most: int | None, *, as_json: bool) -> Status:
    heard = b""

    def hear(data: bytes) -> None:
        nonlocal heard
        heard = data

    console = Console()
    async with Client(url, on_answer=hear) as client, aclosing(wanted.of(client)) as events:
        for _ in range(most) if most else count():
            event = await anext(events)
            if as_json:
                print(whole(heard, event.seq), flush=True)
            else:
                _print(event, console)
    return Status.DONE


def _print(event: LogEvent, console: Console) -> None:
    """One line: when, what, of what, its state afterwards, and the data as far as there is room."""
    line = Text.assemble(
        (event.time.astimezone().strftime("%H:%M:%S"), "dim"),
        f"  {event.type:<22}  {event.subject:<30}  ",
        (f"{event.state:<10}", COLOURS.get(event.state, "")),
        (f"  {orjson.dumps(event.data).decode()}", "dim"),
    )
    if console.is_terminal:
        console.print(line, no_wrap=True, overflow="ellipsis")
    else:
        print(line.plain[:LINE_CHARACTERS], flush=True)
