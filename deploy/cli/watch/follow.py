"""Watches a run: a live view for people, or one JSON event per line."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import orjson

from contracts.client import Client
from contracts.client.events import HEARTBEAT
from deploy.cli.execute import Status, require_arguments
from deploy.cli.watch.live import RUN, show_end, watch
from deploy.cli.watch.progress import COMPLETED, OVER
from deploy.terminal import Terminal


async def follow(client: Client, id_: str) -> Status:
    """Watch a run to its end, and print its report."""
    progress = Terminal(stderr=True)
    try:
        run = await watch(client, id_, progress)
    except asyncio.CancelledError:
        progress.print(f"the run continues; watch it again with: async-agent watch {id_}")
        raise
    show_end(run, progress, Terminal())
    return Status.DONE if run.is_completed else Status.FAILED


def whole(received: bytes, seq: int | None) -> str:
    """Return a received event with its position in the log, if it has one."""
    return orjson.dumps({**orjson.loads(received), "seq": seq}).decode()


async def watched(url: str, api_key: str | None, id_: str, *, as_json: bool = False) -> Status:
    """Watch a run, with a live view or as JSON."""
    require_arguments({"id": id_})
    if as_json:
        return await _printed(url, api_key, id_)
    async with Client(url, api_key=api_key) as client:
        return await follow(client, id_)


async def _printed(url: str, api_key: str | None, id_: str) -> Status:
    received, output = b"", Terminal()

    def receive(data: bytes) -> None:
        nonlocal received
        received = data

    async with Client(url, api_key=api_key, on_answer=receive) as client:
        asked = client.runs if id_.startswith(RUN) else client.executions
        async with aclosing(asked.events(id_)) as events:
            while not (event := await anext(events)).is_last and event.status not in OVER:
                if event.type != HEARTBEAT:
                    output.literal(whole(received, event.seq))
        output.literal(whole(received, event.seq))
    return Status.DONE if COMPLETED in {event.status, event.type.partition(".")[2]} else Status.FAILED
