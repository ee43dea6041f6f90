"""The commands that watch: a live view for people, one event per line for machines."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import orjson
from rich.console import Console

from contracts.client import Client
from contracts.client.events import HEARTBEAT
from deploy.cli.execute import Status
from deploy.cli.watch.board import COMPLETED, OVER, Progress
from deploy.cli.watch.live import show_end, watch, watch_run

RUN = "run_"
"""How the ids of goals' runs begin; all others are executions."""


async def follow(client: Client, id_: str) -> Status:
    """Watch a run or an execution to its end, and print its report."""
    progress = Console(stderr=True)
    board: Progress
    try:
        if id_.startswith(RUN):
            board = await watch_run(client, id_, progress)
        else:
            board = await watch(client, id_, progress)
    except asyncio.CancelledError:
        progress.print(f"it goes on without you; see it again with: async-agent watch {id_}")
        raise
    show_end(board, progress, Console())
    return Status.DONE if board.is_completed else Status.FAILED


def whole(heard: bytes, seq: int | None) -> str:
    """All that was heard of an event, and its place in the log where it has one."""
    return orjson.dumps({**orjson.loads(heard), "seq": seq}).decode()


async def watched(url: str, id_: str, *, as_json: bool = False) -> Status:
    """What `watch` does."""
    if as_json:
        return await _printed(url, id_)
    async with Client(url) as client:
        return await follow(client, id_)


async def _printed(url: str, id_: str) -> Status:
    heard = b""

    def hear(data: bytes) -> None:
        nonlocal heard
        heard = data

    async with Client(url, on_answer=hear) as client:
        asked = client.runs if id_.startswith(RUN) else client.executions
        async with aclosing(asked.events(id_)) as events:
            while not (event := await anext(events)).is_last and event.status not in OVER:
                if event.type != HEARTBEAT:
                    print(whole(heard, event.seq), flush=True)
        print(whole(heard, event.seq), flush=True)
    return Status.DONE if COMPLETED in {event.status, event.type.partition(".")[2]} else Status.FAILED
