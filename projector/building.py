"""Builds the views from the whole log, in large transactions. An interrupted build can be continued."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import structlog

from contracts.core.commit import Recorded
from contracts.runtime.continuity import Mark, regression
from contracts.runtime.log import Log
from contracts.views import VIEWS_VERSION
from projector.database import Database, remove
from projector.file_errors import Damaged
from projector.fold import Fold

BUILD_COMMITS = 4000
"""Number of commits in one transaction of a build."""
LOG_INTERVAL_S = 5.0
"""Seconds between two log lines about the progress of a build."""

log = structlog.get_logger()


class Building:
    """The progress of a build."""

    def __init__(self, target: int) -> None:
        self.seq = 0
        self.target = target
        self._logged_at = time.monotonic()

    def __str__(self) -> str:
        return f"building the views: {self.seq} of {self.target}"

    def reached(self, seq: int) -> None:
        """Record the progress and log it every LOG_INTERVAL_S seconds."""
        self.seq = seq
        if time.monotonic() - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = time.monotonic()
            log.info("building the views", seq=seq, of=self.target)


async def build(source: Log, path: Path, fold: Fold, building: Building) -> None:
    """Fold the log up to `building.target` into the file at `path`, which may contain a part of it.

    Raises:
        Unavailable: the log could not be reached.
    """
    state = await source.state()
    end = min(building.target, await source.last_seq())
    async with Database.open(path) as database:
        after = (await database.position()).mark.seq
        building.reached(after)
        with _no_collector():
            async for commits in _up_to(source, after, end):
                wanted = [one for one in commits if one.seq <= building.target]
                mark = Mark.at(wanted[-1], state) if wanted else None
                if mark:
                    await database.write(fold(wanted).statements(), mark, after=after)
                    after = mark.seq
                    building.reached(after)
        await database.fold_log_into_file()


async def discard_if_unusable(source: Log, path: Path) -> None:
    """Remove the file that an interrupted build left at `path`, unless it can be continued.

    Raises:
        Unavailable: the log could not be reached.
    """
    if not path.exists():
        return
    try:
        async with Database.open(path) as database:
            found = await database.position()
        fit = found.version == VIEWS_VERSION and await regression(source, found.mark) is None
    except Damaged:
        fit = False
    if not fit:
        remove(path)


@contextlib.contextmanager
def _no_collector() -> Iterator[None]:
    """Suspend garbage collection: commits and rows form no cycles, and it costs an eighth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _up_to(source: Log, after: int, end: int) -> AsyncGenerator[Sequence[Recorded]]:
    """All commits above `after` up to `end` in large batches. The log must have reached `end`.

    The last batch may contain later commits.
    """
    if after >= end:
        return
    gathered: list[Recorded] = []
    async with aclosing(source.tail(after=after)) as batches:
        async for batch in batches:
            gathered += batch
            done = batch[-1].seq >= end
            if done or len(gathered) >= BUILD_COMMITS:
                yield gathered
                gathered = []
            if done:
                return
