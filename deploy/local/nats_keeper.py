"""Keeps the nats-server of a local system running."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable

from deploy.local.child import Backoff, describe_status
from deploy.local.nats_server import NatsServer, ServerFailed

ROOM_BYTES = 64 * 1024 * 1024
"""Minimum free disk space to restart a server after a failed write."""
ASK_S = 0.5
"""Seconds between checks of the disk."""

Tell = Callable[[str], None]


async def keep_running(nats: NatsServer, tell: Tell) -> None:
    """Restart `nats` if it ends, or after a failed write to its disk. Never returns."""
    backoff = Backoff()
    while True:
        since = time.monotonic()
        status = await _ended(nats, tell)
        await nats.kill()
        pause = backoff.after(time.monotonic() - since)
        tell(f"ended with {describe_status(status)}; starting it again in {pause:g} s")
        await asyncio.sleep(pause)
        try:
            await nats.start()
        except ServerFailed as error:
            tell(str(error))


async def _ended(nats: NatsServer, tell: Tell) -> int:
    ending = asyncio.create_task(_end_after_failed_write(nats, tell))
    try:
        return await nats.ended()
    finally:
        ending.cancel()


async def _end_after_failed_write(nats: NatsServer, tell: Tell) -> None:
    """After a failed write, wait for free disk space and end the server, so that it stores messages again."""
    await nats.store_failed.wait()
    tell("a write to its disk failed, so it stores nothing more; it is restarted when the disk has room")
    while True:
        await asyncio.sleep(ASK_S)
        if shutil.disk_usage(nats.directory).free >= ROOM_BYTES:
            return nats.crash()
