"""The lock on a views file. One projector writes the file; others wait until it ends."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

RETRY_S = 0.5

log = structlog.get_logger()


def lock_of(path: Path) -> Path:
    """Path of the lock file of the views at `path`."""
    return path.with_name(path.name + ".lock")


@asynccontextmanager
async def owned(path: Path) -> AsyncGenerator[None]:
    """Hold the lock on the views file at `path`; wait while another process holds it.

    The operating system releases the lock when the process ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock_of(path).open("a") as lock:
        logged = False
        while not _taken(lock.fileno()):
            if not logged:
                log.warning("another projector writes these views; waiting for it to end", path=str(path))
                logged = True
            await asyncio.sleep(RETRY_S)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
