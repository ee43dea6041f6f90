"""Explains why nothing happens in a run that is watched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from contracts.client import Client, ClientError
from deploy.cli.watch.progress import RunProgress

LOOK_S = 2.0
"""Seconds between two looks for a reason while no step runs."""
QUIET_S = 15.0
"""Seconds without an event after which a run without a running step needs a reason."""

Note = Callable[[str], None]
"""Prints a line, above the table if there is one."""


@asynccontextmanager
async def explained(client: Client, run: RunProgress, note: Note) -> AsyncGenerator[None]:
    """Until the end of the block, say why no step runs. Each reason is printed once until it is gone."""
    explaining = asyncio.create_task(_explain(client, run, note))
    try:
        yield
    finally:
        explaining.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await explaining


async def _explain(client: Client, run: RunProgress, note: Note) -> None:
    told, quiet_s = None, 0.0
    while True:
        before = run.news
        await asyncio.sleep(LOOK_S)
        quiet_s = quiet_s + LOOK_S if run.news == before else 0.0
        why = await _why(client, run, quiet_s)
        if why and why != told:
            note(why)
        told = why


async def _why(client: Client, run: RunProgress, quiet_s: float) -> str | None:
    """Return why nothing happens; None if a step runs or asks, or the run was quiet for a short time only."""
    is_quiet = quiet_s >= QUIET_S
    if run.is_asking or (run.is_active and not is_quiet):
        return None
    if missing := await _missing(client):
        return missing
    if run.is_active or not is_quiet:
        return None
    return (
        f"nothing has happened for {QUIET_S:g} s: the run is {run.status}, but no step is running; "
        "see the logs of planner and executors"
    )


async def _missing(client: Client) -> str | None:
    """Return what the system lacks to run steps, such as an executor."""
    try:
        problems = (await client.ready()).problems
    except ClientError as error:
        return str(error)
    return "; ".join(problem for name, problem in problems.items() if name != "llm") or None
