"""Moves SQLite's write-ahead log into the database file beside the writes instead of within them.

SQLite by itself moves it within the commit that makes the log long. That takes ten times as long as a commit,
and delays what waits for it. A checkpoint in another thread lets writes go on. While writes go on, the log
does not begin anew, so a log that has become very long is moved before the next write. A reader that keeps an
old state prevents both, as it does without this module.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from projector.file_errors import Damaged, FileReplaced, Inaccessible

CHECKPOINT_ROWS = 250
"""Rows written between two checkpoints. A row takes about four pages of the log."""
MOST_PAGES = 4000
"""Pages of a log that is moved before the next write: 16 MB."""


class Moved(NamedTuple):
    """The result of a checkpoint."""

    pages: int
    """Pages in the log."""
    moved: int
    """How many of them are in the database file."""


class WalCheckpoints:
    """Decides when a file gets a checkpoint."""

    def __init__(self, checkpoint: Callable[[], Awaitable[Moved]]) -> None:
        """`checkpoint` moves what no reader needs. It does not wait for readers or writers."""
        self._checkpoint = checkpoint
        self._rows = 0
        """Rows written since the last checkpoint began."""
        self._pages = 0
        """Pages in the log when the last checkpoint ended. 0: the log begins anew with the next write."""
        self._running: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether a checkpoint changes the file at the moment."""
        return self._running is not None and not self._running.done()

    async def before_write(self) -> None:
        """Move a log that is very long, before it becomes longer."""
        if self._pages >= MOST_PAGES:
            await self.wait()
            await self._run(alone=True)

    def after_write(self, rows: int) -> None:
        """Begin a checkpoint if enough was written. It runs beside further writes."""
        self._rows += rows
        if self._rows >= CHECKPOINT_ROWS and not self.is_running:
            self._rows = 0
            self._running = asyncio.create_task(self._run())

    async def wait(self) -> None:
        """Wait for the end of the checkpoint in progress."""
        if self._running:
            await asyncio.wait([self._running])

    async def _run(self, *, alone: bool = False) -> None:
        """Run a checkpoint; `alone`: without a write beside it, so that the log begins anew if all is moved.

        Errors are left to the next write or inspection, as SQLite does with its own checkpoints.
        """
        with contextlib.suppress(Damaged, FileReplaced, Inaccessible):
            result = await self._checkpoint()
            self._pages = 0 if alone and result.moved == result.pages else result.pages
