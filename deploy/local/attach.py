"""Access to the log of a system by its data directory. The system may be running or stopped."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.core.user_error import UserError
from deploy.local.data_lock import InUse, claim_on, claimed
from deploy.local.nats_server import NatsServer, running
from deploy.local.settings import local_settings
from deploy.local.system import NATS


class NoSystem(UserError):
    """No system has ever run on the data directory."""


@dataclass(frozen=True)
class Attached:
    """The NATS that stores the log, and the directory of the other files."""

    data: Path
    url: str
    offline: bool
    """Whether no other process of the system can run during the attachment."""


@asynccontextmanager
async def attached(data: Path | None, nats_url: str | None) -> AsyncGenerator[Attached]:
    """Yield the NATS at `nats_url`, or the NATS of the system that runs on `data`.

    If no system runs on `data`, its NATS is started until the end of the block. The environment and `.env`
    replace arguments that are None.

    Raises:
        NoSystem: no system has run on the directory.
        InUse: the system is just starting, or the directory cannot be used.
    """
    settings = local_settings(data_dir=data, nats_url=nats_url)
    directory = settings.data_dir
    async with AsyncExitStack() as stack:
        if settings.nats_url is not None:
            yield Attached(directory, settings.nats_url, offline=False)
        elif not (directory / NATS).exists():
            raise NoSystem(
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
