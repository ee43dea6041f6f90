"""`async-agent log`: recovery of a log that has lost commits."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from contracts.domain.registry import CODEC
from contracts.runtime.nats_log import NatsLog, nats_log
from contracts.runtime.process.settings import Durability, Settings
from deploy.local.attach import attached
from deploy.terminal import Terminal

ANY = Durability.FAST
"""A command works with every NATS: what it syncs concerns the services."""


@asynccontextmanager
async def log_of(data: Path | None, nats_url: str | None) -> AsyncGenerator[NatsLog]:
    """Open the log of the system on `data`, running or not. Default: the settings of the environment."""
    async with attached(data, nats_url) as nats:
        settings = Settings(data_dir=nats.data, nats_url=nats.url, durability=ANY)
        async with nats_log(settings, CODEC, name="operator/log") as log:
            yield log


async def accept(log: NatsLog, console: Terminal) -> None:
    """Let the log accept commits again, and print the consequences."""
    state = await log.state()
    await log.accept()
    if state.halted:
        console.print(f"It was halted: {state.halted}.")
    console.print(
        f"The log is accepted as complete up to seq {state.last_seq} and takes commits again. The missing "
        "commits are lost. Views that include them are kept beside the new views, as "
        "<file>.regressed-<seq>-<time>.",
    )
