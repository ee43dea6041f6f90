"""`async-agent audit`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text

from contracts.client import Client, LogEvent
from contracts.core.event import Json
from deploy.cli.execute import Status, execute
from deploy.cli.options import DEFAULT_URL, Key, Url
from deploy.cli.resources.command import group
from deploy.cli.values import clock
from deploy.cli.watch.follow import whole
from deploy.terminal import Terminal

app = group(__name__)

DECIDED_BY = ("/gateway/", "/operator/", "/scheduler/")
"""Sources of commits that are the direct result of a request, a command or a schedule."""
COUNTED = "budget."
"""Beginning of the types of events that only count what was done, and that nobody has asked for."""
DETAILS = ("name", "objective", "reason", "scopes", "trigger")
"""Fields of events that are shown."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events to print."""

    actor: str | None
    id: str | None
    since: datetime | None
    after: int
    everything: bool
    """Whether to print also what services did because of a request."""

    def of(self, client: Client) -> AsyncGenerator[LogEvent]:
        """Yield the events up to now that the server can select."""
        return client.events(actor=self.actor, aggregate_id=self.id, after=self.after, follow=False)

    def includes(self, event: LogEvent) -> bool:
        """Whether an event that the server selected is to be printed."""
        decided = (event.source or "").startswith(DECIDED_BY) and not event.type.startswith(COUNTED)
        is_late = self.since is None or event.time >= self.since.replace(tzinfo=UTC)
        return is_late and (self.everything or decided)


@app.command("audit")
def audit(  # noqa: PLR0913, PLR0917  each is an option
    actor: Annotated[
        str | None, typer.Option(help="Show only this actor: `key:ci`, `user:ada`, `anonymous`.")
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="Show only the goal, run, DAG or key with this id.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Show only what happened since then (UTC).")] = None,
    after: Annotated[int, typer.Option(min=0, help="Start after this position in the log.")] = 0,
    everything: Annotated[
        bool, typer.Option("--all", help="Show also what planners and executors did because of it.")
    ] = False,
    url: Url = DEFAULT_URL,
    api_key: Key = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one CloudEvent per line.")] = False,
) -> None:
    """Print who asked for what, from the log, oldest first.

    Every commit names its actor. Commits of older versions do not; their actor is `unknown`.
    """
    wanted = Filter(actor, id_, since, after, everything)
    raise typer.Exit(execute(_audited(url, api_key, wanted, as_json=as_json)))


async def _audited(url: str, api_key: str | None, wanted: Filter, *, as_json: bool) -> Status:
    answered, terminal = b"", Terminal()

    def keep_answer(data: bytes) -> None:
        nonlocal answered
        answered = data

    async with (
        Client(url, api_key=api_key, on_answer=keep_answer) as client,
        aclosing(wanted.of(client)) as events,
    ):
        async for event in events:
            if wanted.includes(event):
                if as_json:
                    terminal.literal(whole(answered, event.seq))
                else:
                    terminal.print(line_of(event), soft_wrap=True)
    return Status.DONE


def line_of(event: LogEvent) -> Text:
    """Return time, actor, event, id and the most telling details of an event."""
    line = Text.assemble(
        (clock(event.time), "dim"), f"  {event.actor or UNKNOWN:<20}  {event.type:<20}  {event.subject}"
    )
    if details := "  ".join(_details(event.data)):
        line.append(f"  {details}", style="dim")
    return line


def _details(data: Json) -> list[str]:
    shown = [data[name] for name in DETAILS if data.get(name)]
    return [", ".join(one) if isinstance(one, list) else str(one).partition("\n")[0] for one in shown]
