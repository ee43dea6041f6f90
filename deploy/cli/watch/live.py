"""Watching in a terminal: a live table of steps, or lines where no table can be drawn."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import datetime

from rich import box
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from contracts.client import Client, ClientError
from deploy.cli.watch.board import Board, Progress, Row, State, seconds
from deploy.cli.watch.run_board import RunBoard

REDRAW_S = 0.125
LOOKS = {
    State.WAITING: ("·", "dim"),
    State.RUNNING: ("▶", "cyan"),
    State.RETRYING: ("↻", "yellow"),
    State.DONE: ("✔", "green"),
    State.FAILED: ("✘", "red"),
}
NOTE_CHARACTERS = 200
QUIET_S = 15.0
"""Without news for so long, it is looked into why."""

Note = Callable[[str], None]
"""Shows a text as one line, above the table where there is one."""
OnProgress = Callable[[Board, Note], None]
"""Called after each event."""


def nothing(_: Board, __: Note) -> None:
    """What happens on progress by default."""


async def watch(
    client: Client, execution_id: str, console: Console, on_progress: OnProgress = nothing
) -> Board:
    """Show an execution until it has ended or is suspended; how it stands then.

    Raises:
        ClientError: there is none of that id, or the system cannot be reached any more.
    """
    execution = await client.executions.get(execution_id)
    board = Board(execution)
    async with (
        _shown(board, console) as note,
        _explained(client, board, note),
        aclosing(client.executions.events(execution_id, after=execution.seq)) as events,
    ):
        while not board.is_over:
            event = await anext(events)
            line = board.take(event)
            if line and not console.is_terminal:
                note(f"{_clock(event.timestamp)}  {line}")
            on_progress(board, note)
    return board


async def watch_run(client: Client, run_id: str, console: Console) -> RunBoard:
    """Show a run of a goal, from its first event until it has ended or is suspended; how it stands then.

    Raises:
        ClientError: there is none of that id, or the system cannot be reached any more.
    """
    board = RunBoard(await client.runs.get(run_id))
    async with (
        _shown(board, console) as note,
        _explained(client, board, note),
        aclosing(client.runs.events(run_id, after=0)) as events,
    ):
        while not board.is_over:
            event = await anext(events)
            line = board.take(event)
            if line and not console.is_terminal:
                note(f"{_clock(event.timestamp)}  {line}")
    return board


def show_end(board: Progress, progress: Console, output: Console) -> None:
    """The report on `output`, as plain Markdown if that is no terminal; what went wrong on `progress`."""
    if board.problem:
        style = "yellow" if board.is_completed else "red"
        progress.print(Text(f"{board.status}: {board.problem}", style=style))
    if board.report is None:
        return
    if output.is_terminal:
        output.print()
        output.print(Markdown(board.report))
    else:
        output.out(board.report, highlight=False)


def table_of(board: Progress, now_ms: float) -> Table:
    """The steps as they stand."""
    took = f" in {seconds(board.took_ms)}" if board.is_completed else ""
    table = Table(
        title=Text(board.title),
        caption=Text(f"{board.id}: {board.status}{took}, {board.done} of {len(board.rows)} steps done"),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for header in ("", "step", "what", "with"):
        table.add_column(header)
    table.add_column("time", justify="right", no_wrap=True, min_width=8)
    for row in board.rows.values():
        mark, style = LOOKS[row.state]
        table.add_row(
            Text(mark, style=style), row.id, _what(row), Text(row.who, style="dim"), _time(row, now_ms)
        )
    return table


def _what(row: Row) -> Text:
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
        case State.DONE:
            return seconds(row.took_ms)
    return ""


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000).astimezone().strftime("%H:%M:%S")


@asynccontextmanager
async def _shown(board: Progress, console: Console) -> AsyncGenerator[Note]:
    """The table while the block lasts, where the console can show one; a way to show lines in any case."""

    def note(line: str) -> None:
        line = " ".join(part.strip() for part in line.splitlines())
        console.print(Text(line), soft_wrap=not console.is_terminal)

    if not console.is_terminal:
        note(f"{board.id}: {board.title}")
        for row in board.rows.values():
            note(f"{row.id} is {row.state}: {row.what}")
        yield note
        return
    with Live(table_of(board, 0), console=console, auto_refresh=False) as live:
        drawing = asyncio.create_task(_redraw(live, board))
        try:
            yield note
        finally:
            drawing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await drawing
            live.update(table_of(board, time.time() * 1000), refresh=True)


@asynccontextmanager
async def _explained(client: Client, board: Progress, note: Note) -> AsyncGenerator[None]:
    """While the block lasts, say why nothing happens when nothing does."""
    explaining = asyncio.create_task(_explain(client, board, note))
    try:
        yield
    finally:
        explaining.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await explaining


async def _explain(client: Client, board: Progress, note: Note) -> None:
    told = ""
    while True:
        before = board.news
        await asyncio.sleep(QUIET_S)
        if board.news != before:
            told = ""
            continue
        why = await _why_quiet(client, board)
        if why and why != told:
            note(f"nothing has happened for {QUIET_S:g} s: {why}")
            told = why


async def _why_quiet(client: Client, board: Progress) -> str | None:
    """What keeps it from going on, None for a step that takes its time."""
    try:
        problems = (await client.ready()).problems
    except ClientError as error:
        return str(error)
    if missing := [problem for name, problem in problems.items() if name != "llm"]:
        return "; ".join(missing)
    if board.is_at_work:
        return None
    return (
        f"it is {board.status}, and no step of it is running; the logs of planner and executors may say why"
    )


async def _redraw(live: Live, board: Progress) -> None:
    while True:
        live.update(table_of(board, time.time() * 1000), refresh=True)
        await asyncio.sleep(REDRAW_S)
