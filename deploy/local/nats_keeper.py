"""Keeps the nats-server of a local system running."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable

from deploy.local.child import Backoff, describe_status
from deploy.local.nats_server import NatsServer, ServerFailed

ROOM_BYTES = 64 * 1024 * 1024
"""Free space on the disk from which on a server whose write failed is restarted."""
ASK_S = 0.5
"""Seconds between looks at the disk."""

Tell = Callable[[str], None]


async def keep_running(nats: NatsServer, tell: Tell) -> None:
    """Start `nats` again whenever it ends; restart it when a write to its disk has failed. Never returns."""
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
    """End a server whose write failed once its disk has room: only then can it store messages again."""
    await nats.store_failed.wait()
    tell("a write to its disk failed, so it stores nothing more; it is restarted when the disk has room")
    while True:
        await asyncio.sleep(ASK_S)
        if shutil.disk_usage(nats.directory).free >= ROOM_BYTES:
            return nats.crash()
