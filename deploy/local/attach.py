"""Reaching the log of a system by its data directory, whether the system runs or not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.runtime.process.service import UserError
from deploy.local.data_lock import InUse, claim_on, claimed
from deploy.local.nats_server import NatsServer, running
from deploy.local.settings import local_settings
from deploy.local.system import NATS


class NothingThere(UserError):
    """No system has ever run on the data directory."""


@dataclass(frozen=True)
class Attached:
    """A NATS that has the log, and the directory of the other files."""

    data: Path
    url: str
    offline: bool
    """Whether no other process of the system can be running as long as we are attached."""


@asynccontextmanager
async def attached(data: Path | None, nats_url: str | None) -> AsyncGenerator[Attached]:
    """The NATS at `nats_url`; else that of the system running on `data`; else its own, started for as long.

    What is None is taken from the environment and `.env`.

    Raises:
        NothingThere: there is no such system.
        InUse: it is just starting, or cannot be used.
    """
    settings = local_settings(data_dir=data, nats_url=nats_url)
    directory = settings.data_dir
    async with AsyncExitStack() as stack:
        if settings.nats_url is not None:
            yield Attached(directory, settings.nats_url, offline=False)
        elif not (directory / NATS).exists():
            raise NothingThere(
                f"no system with a NATS of its own has run on {directory}; "
                "choose its directory with --data, or its NATS with --nats-url"
            )
        else:
            yield await _running_or_own(stack, directory)


async def _running_or_own(stack: AsyncExitStack, data: Path) -> Attached:
    try:
        stack.enter_context(claimed(data))
    except InUse:
        claim = claim_on(data)
        if claim is None or not claim.nats_url:
            raise
        return Attached(data, claim.nats_url, offline=False)
    server = await stack.enter_async_context(running(NatsServer(data.absolute() / NATS)))
    return Attached(data, server.url, offline=True)
