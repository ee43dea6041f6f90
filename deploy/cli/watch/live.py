"""Live view of a run: a table of steps on a terminal, or plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import datetime

from rich import box
from rich.live import Live
from rich.table import Table
from rich.text import Text

from contracts.client import Client
from deploy.cli.watch.open_asks import OPENED, OpenAsks
from deploy.cli.watch.progress import Event, RunProgress
from deploy.cli.watch.quiet import Note, explained
from deploy.cli.watch.steps import Row, State, seconds
from deploy.terminal import Terminal

REDRAW_S = 0.125
RUN = "run_"
"""Prefix of ids of runs of goals. All other ids are ids of executions."""
LOOKS = {
    State.WAITING: ("·", "dim"),
    State.RUNNING: ("▶", "cyan"),
    State.RETRYING: ("↻", "yellow"),
    State.ASKING: ("?", "yellow"),
    State.DONE: ("✔", "green"),
    State.INHERITED: ("✔", "dim"),
    State.TROUBLED: ("✔", "yellow"),
    State.FAILED: ("✘", "red"),
}
NOTE_CHARACTERS = 200

OnProgress = Callable[[RunProgress, Note], None]
"""Called after each event."""


def nothing(_: RunProgress, __: Note) -> None:
    """Do nothing."""


async def watch(
    client: Client, id_: str, console: Terminal, on_progress: OnProgress = nothing
) -> RunProgress:
    """Show an execution or a run of a goal until it ends or is suspended. Return its final state.

    Raises:
        ClientError: the run does not exist, or the system is not reachable.
    """
    progress, events = await _opened(client, id_)
    asks = OpenAsks(client, id_, console)
    async with (
        _live_table(progress, console) as note,
        explained(client, progress, note),
        aclosing(events),
    ):
        if progress.is_asking:
            await asks.show()
        while not progress.is_over:
            event = await anext(events)
            line = progress.take(event)
            if line and not console.is_terminal and not progress.has_trouble:  # `show_end` prints trouble
                note(f"{_clock(event.timestamp)}  {line}")
            if event.type == OPENED:
                await asks.show()
            on_progress(progress, note)
    return progress


async def _opened(client: Client, id_: str) -> tuple[RunProgress, AsyncGenerator[Event]]:
    """Return the state of a run, and the events that follow."""
    if id_.startswith(RUN):
        return RunProgress.of_goal_run(await client.runs.get(id_)), client.runs.events(id_, after=0)
    execution = await client.executions.get(id_)
    return RunProgress.of_execution(execution), client.executions.events(id_, after=execution.seq)


def show_end(run: RunProgress, progress: Terminal, output: Terminal) -> None:
    """Print the report on `output`, as raw Markdown if it is not a terminal, and errors on `progress`."""
    if run.has_trouble:
        progress.note(run.outcome, "yellow" if run.is_completed else "red")
    if run.report is None:
        return
    output.markdown(run.report)


def table_of(run: RunProgress, now_ms: float) -> Table:
    """Return a table of the steps of a run."""
    took = f" in {seconds(run.took_ms)}" if run.is_completed else ""
    trouble = f", {len(run.failed_calls)} tool calls failed" if run.failed_calls else ""
    table = Table(
        title=Text(run.title),
        caption=Text(
            f"{run.id}: {run.status}{took}, {run.done} of {len(run.rows)} steps done{trouble}",
            style="yellow" if trouble else "",
        ),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        min_width=len(run.id) + 1,
    )
    table.add_column("", no_wrap=True)
    table.add_column("step", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("with", overflow="fold")
    table.add_column("time", justify="right", no_wrap=True, min_width=8)
    for row in run.rows.values():
        mark, style = LOOKS[row.state]
        table.add_row(
            Text(mark, style=style), row.id, _description(row), Text(row.who, style="dim"), _time(row, now_ms)
        )
    return table


def _description(row: Row) -> Text:
    text = Text(row.what, style="dim" if row.state is State.WAITING else "")
    if row.starts > 1:
        text.append(f" (start {row.starts})", style="yellow")
    if row.note:
        text.append(f"\n{row.note[:NOTE_CHARACTERS]}", style="red" if row.state is State.FAILED else "dim")
    return text


def _time(row: Row, now_ms: float) -> str:
    match row.state:
        case State.RUNNING:
            return seconds(max(0, round((now_ms - row.since_ms) / 100) * 100))
        case State.DONE | State.TROUBLED:
            return seconds(row.took_ms)
    return ""


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000).astimezone().strftime("%H:%M:%S %Z")


@asynccontextmanager
async def _live_table(run: RunProgress, console: Terminal) -> AsyncGenerator[Note]:
    """Show the table during the block, if the console is a terminal. Yields a function that prints lines."""

    def note(line: str) -> None:
        line = " ".join(part.strip() for part in line.splitlines())
        console.print(Text(line), soft_wrap=not console.is_terminal)

    if not console.is_terminal:
        note(f"{run.id}: {run.title}")
        for row in run.rows.values():
            note(f"{row.id} is {row.state}: {row.what}")
        yield note
        return
    with Live(table_of(run, 0), console=console, auto_refresh=False) as live:
        drawing = asyncio.create_task(_redraw(live, run))
        try:
            yield note
        finally:
            drawing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await drawing
            live.update(table_of(run, time.time() * 1000), refresh=True)


async def _redraw(live: Live, run: RunProgress) -> None:
    while True:
        live.update(table_of(run, time.time() * 1000), refresh=True)
        await asyncio.sleep(REDRAW_S)
