"""`async-agent log`: what an operator decides about a log that has regressed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from contracts.domain.registry import CODEC
from contracts.runtime.nats_log import NatsLog, nats_log
from contracts.runtime.process.settings import Settings
from deploy.local.attach import attached
from deploy.terminal import Terminal


@asynccontextmanager
async def log_of(data: Path | None, nats_url: str | None) -> AsyncGenerator[NatsLog]:
    """The log of the system on `data`, running or not; by default as the environment says."""
    async with (
        attached(data, nats_url) as nats,
        nats_log(Settings(data_dir=nats.data, nats_url=nats.url), CODEC, name="log") as log,
    ):
        yield log


async def accept(log: NatsLog, console: Terminal) -> None:
    """Let the log take commits again, and say what follows from it."""
    state = await log.state()
    await log.accept()
    if state.halted:
        console.print(f"It was halted: {state.halted}.")
    console.print(
        f"The log is accepted as it is, up to seq {state.last_seq}, and takes commits again. What it lacks "
        "is lost to the services; views that include it are kept beside the new ones, as "
        "<file>.regressed-<seq>-<time>.",
    )
