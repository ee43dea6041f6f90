"""One projector writes a views file: the others wait until it has ended."""

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
    """The file that a projector of the views at `path` holds a lock on."""
    return path.with_name(path.name + ".lock")


@asynccontextmanager
async def owned(path: Path) -> AsyncGenerator[None]:
    """The views file at `path`, nobody else's until the end of the block. Waits for whoever has it.

    The lock ends with the process that holds it, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock_of(path).open("a") as lock:
        told = False
        while not _taken(lock.fileno()):
            if not told:
                log.warning("another projector writes these views; waiting for it to end", path=str(path))
                told = True
            await asyncio.sleep(RETRY_S)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
