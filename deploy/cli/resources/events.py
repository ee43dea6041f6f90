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
from rich.text import Text

from contracts.client import Client, LogEvent
from deploy.cli.execute import Status, execute
from deploy.cli.options import DEFAULT_URL, Key, Url
from deploy.cli.resources.command import group
from deploy.cli.values import COLOURS, clock
from deploy.cli.watch.follow import whole
from deploy.terminal import Terminal

app = group(__name__)

LINE_CHARACTERS = 240
"""Length of a line if the output is not a terminal."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events to print."""

    aggregates: tuple[str, ...]
    id: str | None
    types: tuple[str, ...]
    actor: str | None
    after: int | None

    def of(self, client: Client) -> AsyncGenerator[LogEvent]:
        """Yield the events until cancelled."""
        return client.events(
            aggregates=self.aggregates or None,
            aggregate_id=self.id,
            types=self.types or None,
            actor=self.actor,
            after=self.after,
        )


@app.command("follow")
def follow(  # noqa: PLR0913, PLR0917  each is an option
    aggregate: Annotated[
        list[str] | None,
        typer.Option(help="Show only events of this kind of aggregate, such as `run`; repeat for more."),
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="Show only events of the goal, run or DAG with this id.")
    ] = None,
    type_: Annotated[
        list[str] | None,
        typer.Option(
            "--type", help="Show only events of this type, such as `run.completed`; repeat for more."
        ),
    ] = None,
    after: Annotated[
        int | None,
        typer.Option(min=0, help="Start after this position in the log; 0 shows everything. Default: now."),
    ] = None,
    most: Annotated[int | None, typer.Option("--count", min=1, help="Stop after this many events.")] = None,
    actor: Annotated[
        str | None, typer.Option(help="Show only what this actor asked for, such as `key:ci`.")
    ] = None,
    url: Url = DEFAULT_URL,
    api_key: Key = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one CloudEvent with its `seq` per line.")
    ] = False,
) -> None:
    """Print events as they happen, until Ctrl-C. A broken connection loses no events."""
    wanted = Filter(tuple(aggregate or ()), id_, tuple(type_ or ()), actor, after)
    try:
        status = execute(_followed(url, api_key, wanted, most, as_json=as_json), interrupted=Status.DONE)
    except BrokenPipeError:  # the reader of the pipe has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = Status.DONE
    raise typer.Exit(status)


async def _followed(
    url: str, api_key: str | None, wanted: Filter, most: int | None, *, as_json: bool
) -> Status:
    answered = b""

    def keep_answer(data: bytes) -> None:
        nonlocal answered
        answered = data

    terminal = Terminal()
    async with (
        Client(url, api_key=api_key, on_answer=keep_answer) as client,
        aclosing(wanted.of(client)) as events,
    ):
        for _ in range(most) if most else count():
            event = await anext(events)
            if as_json:
                terminal.literal(whole(answered, event.seq))
            else:
                _print(event, terminal)
    return Status.DONE


def _print(event: LogEvent, terminal: Terminal) -> None:
    """Print time, type, id and state, and as much of the data as fits on the line."""
    line = Text.assemble(
        (clock(event.time), "dim"),
        f"  {event.type:<22}  {event.subject:<30}  ",
        (event.state, COLOURS.get(event.state, "")),
    )
    room = (terminal.width if terminal.is_terminal else LINE_CHARACTERS) - line.cell_len
    data = Text(f"  {orjson.dumps(event.data).decode()}", style="dim")
    data.truncate(max(0, room), overflow="ellipsis")
    terminal.print(line.append_text(data), soft_wrap=not terminal.is_terminal)
