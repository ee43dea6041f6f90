"""Keeps the views at the head of the log: batch by batch, each with its checkpoint in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import structlog

from contracts.core.commit import Recorded
from contracts.core.subjects import EVERYTHING
from contracts.runtime.log import Log
from contracts.views import VIEWS_VERSION
from projector import (
    agent_view,
    dag_view,
    goal_run_view,
    goal_view,
    metrics,
    run_view,
    schedule_view,
    task_view,
)
from projector.database import Database, Vanished, remove
from projector.fold import Fold

Announce = Callable[[int], Awaitable[None]]
"""Tells gateways that the views include this stream sequence."""

BUSY_COMMITS = 8
BUSY_PAUSE_S = 0.05
"""A batch of more than BUSY_COMMITS means a stream of them: gather this long, so that a transaction serves
many. After a smaller one nothing waits, so that a client sees its own write at once."""
BUILD_COMMITS = 4000
"""In one transaction while the views are built and nobody waits for any of them."""
WATCH_S = 1.0
"""How often an idle projector looks whether its file is still there."""

log = structlog.get_logger()


def views_fold() -> Fold:
    """Every handler of the views."""
    fold = Fold()
    views = (agent_view, dag_view, run_view, goal_view, goal_run_view, schedule_view, task_view)
    for view in views:
        fold.include(view.fold)
    return fold


class Projector:
    """Folds one log into one views file, for ever."""

    def __init__(self, source: Log, path: Path, announce: Announce) -> None:
        self.source = source
        self.path = path
        self.announce = announce
        self.fold = views_fold()
        self.seq = 0
        """Stream sequence the views include."""

    async def run(self) -> None:
        """Project until cancelled; a file that is deleted meanwhile is built anew."""
        while True:
            if await self._stale():
                await self.rebuild()
            try:
                async with Database.open(self.path) as database:
                    _, self.seq = await database.position()
                    await self.announce(self.seq)
                    await self._follow(database)
            except Vanished:
                log.warning("the views file is gone; building it anew", path=str(self.path))

    async def rebuild(self) -> None:
        """Fold the whole log into a file beside the views, then put it in their place."""
        fresh = self.path.with_name(self.path.name + ".next")
        remove(fresh)
        seq = await build(self.source, fresh, self.fold)
        if self.path.exists():
            async with Database.open(self.path) as database:
                await database.take_over(fresh)
        else:
            remove(self.path)
            fresh.rename(self.path)
        remove(fresh)
        log.info("views rebuilt", seq=seq, version=VIEWS_VERSION)

    async def lag(self) -> int:
        """Stream sequences the views are behind the log."""
        return max(0, await self.source.last_seq() - self.seq)

    async def _stale(self) -> bool:
        if not self.path.exists():
            return True
        async with Database.open(self.path) as database:
            version, seq = await database.position()
        return version != VIEWS_VERSION or seq > await self.source.last_seq()

    async def _follow(self, database: Database) -> None:
        watch = asyncio.create_task(_watch(database))
        follow = asyncio.create_task(self._apply_all(database))
        try:
            await asyncio.wait([watch, follow], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (watch, follow):
                task.cancel()
            results = await asyncio.gather(watch, follow, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _apply_all(self, database: Database) -> None:
        async with aclosing(self.source.tail(EVERYTHING, after=self.seq)) as batches:
            async for batch in batches:
                await self._apply(database, batch)
                if len(batch) > BUSY_COMMITS:
                    await asyncio.sleep(BUSY_PAUSE_S)

    async def _apply(self, database: Database, batch: Sequence[Recorded]) -> None:
        with metrics.BATCH_SECONDS.time():
            seq = batch[-1].seq
            await database.write(self.fold(batch).statements(), seq)
        self.seq = seq
        metrics.COMMITS.inc(len(batch))
        metrics.POSITION.set(seq)
        await self.announce(seq)


async def build(source: Log, path: Path, fold: Fold, *, up_to: int | None = None) -> int:
    """Fold the log into a new file, up to `up_to` or the newest commit; returns the sequence reached."""
    target = await source.last_seq() if up_to is None else up_to
    async with Database.open(path) as database:
        with _no_collector():
            async for commits, seq in _up_to(source, target):
                await database.write(fold(commits).statements(), seq)
        await database.fold_log_into_file()
    return target


@contextlib.contextmanager
def _no_collector() -> Iterator[None]:
    """Commits and rows leave no cycles, and looking for them among so many takes an eighth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _up_to(source: Log, target: int) -> AsyncGenerator[tuple[Sequence[Recorded], int]]:
    """All commits up to `target` in large batches, each with the position it reaches."""
    if not target:
        return
    gathered: list[Recorded] = []
    async with aclosing(source.tail(EVERYTHING, after=0)) as batches:
        async for batch in batches:
            gathered += [one for one in batch if one.seq <= target]
            done = batch[-1].seq >= target
            if done or len(gathered) >= BUILD_COMMITS:
                yield gathered, target if done else batch[-1].seq
                gathered = []
            if done:
                return


async def _watch(database: Database) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(WATCH_S)
            database.check()
