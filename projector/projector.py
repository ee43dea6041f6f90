"""The projector: follows the log and updates the views.

Each batch of commits and its checkpoint are written in one transaction. A new version of the tables is built
in a file beside the old ones and renamed into place; until then the old ones answer. A deleted or damaged
file is replaced. The checkpoint keeps the hash of its commit and the creation time of the stream. If the log
does not contain that commit, the log is halted (`contracts.runtime.continuity`) until `async-agent log
accept`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from glob import escape
from pathlib import Path

import structlog

from contracts.core.commit import Recorded
from contracts.core.user_error import UserError
from contracts.runtime.continuity import WAY_OUT, LogRegressed, Mark, regression
from contracts.runtime.log import Log, LogState, Unavailable
from contracts.views import NEXT, SUSPECT, VIEWS_VERSION
from projector import (
    agent_run_view,
    agent_view,
    ask_view,
    dag_view,
    fork_view,
    goal_view,
    metrics,
    plan_run_view,
    run_view,
    schedule_view,
    task_view,
)
from projector.building import Building, build, discard_if_unusable
from projector.database import Checkpoint, Database, move, remove
from projector.file_errors import Damaged, FileReplaced, Inaccessible
from projector.fold import Fold
from projector.inspection import inspect
from projector.ownership import owned

Announce = Callable[[int], Awaitable[None]]
"""Notifies gateways that the views include a stream sequence."""

BUSY_COMMITS = 8
BUSY_PAUSE_S = 0.05
"""Seconds to wait after a batch of more than BUSY_COMMITS, so that the next transaction has many commits.
After a smaller batch the projector does not wait, so that clients see their own writes at once."""
MAX_LAG = 10_000
"""Number of commits behind the log above which the projector is not ready."""
ANSWER_S = 2.0
"""Seconds that a readiness check waits for the log."""
WATCH_S = 1.0
"""Seconds between checks of the views file, and of a log that has lost commits."""
ACCESS_S = 5.0
"""Seconds between attempts to write a file that cannot be written."""
MAKE_ROOM = "Make room on its disk, or give the projector access to it"
WAITING = "another projector writes these views; waiting for it to end"

log = structlog.get_logger()


def views_fold() -> Fold:
    """The handlers of all views in one table."""
    fold = Fold()
    views = (
        agent_view,
        ask_view,
        dag_view,
        run_view,
        plan_run_view,
        agent_run_view,
        fork_view,
        goal_view,
        schedule_view,
        task_view,
    )
    for view in views:
        fold.include(view.fold)
    return fold


class BuildFailed(UserError):
    """A new views file could not be written."""


class Projector:
    """Folds one log into one views file."""

    def __init__(self, source: Log, path: Path, announce: Announce) -> None:
        self.source = source
        self.path = path
        self.announce = announce
        self.fold = views_fold()
        self._next = path.with_name(path.name + NEXT)
        self.seq = 0
        """Stream sequence that the views include."""
        self.problem: object = WAITING
        """Why the views do not follow the log; None if they do."""

    async def run(self) -> None:
        """Follow the log until cancelled. If the file is deleted or damaged, build it again.

        While the file cannot be written, because the disk is full for example, try again every ACCESS_S.

        Raises:
            LogRegressed: the log lost commits. The next call waits until an operator accepts the loss.
        """
        async with owned(self.path):
            while True:
                try:
                    async with self._open() as database:
                        await self._follow(database)
                except FileReplaced:
                    log.warning("the views file is gone; building it again", path=str(self.path))
                except Damaged as error:
                    self._move_aside("damaged", str(error))
                except (Inaccessible, OSError) as error:
                    await self._wait_for_access(error)

    async def rebuild(self) -> None:
        """Build new views from the whole log in a separate file, then replace the old views.

        Raises:
            LogRegressed: the log has lost commits that the views include. The views are unchanged.
            BuildFailed: the new views could not be written. The old views are unchanged.
        """
        async with owned(self.path):
            try:
                accepted = await refuse_if_regressed(self.source, self.path)
            except Damaged as error:
                self._move_aside("damaged", str(error))
            else:
                if accepted:
                    self._move_aside("regressed", accepted)
            try:
                await self._build()
            except Inaccessible as error:
                raise BuildFailed(f"the new views cannot be written: {error}. {MAKE_ROOM}") from error

    async def not_ready(self) -> str | None:
        """Why the projector is not ready; None if it is ready."""
        if self.problem is not None:
            return str(self.problem)
        seq = self.seq
        try:
            async with asyncio.timeout(ANSWER_S):
                newest, state = await self.source.last_seq(), await self.source.state()
        except (TimeoutError, Unavailable):
            return "the log does not answer"
        metrics.HEAD.set(newest)
        metrics.REPLICAS_BEHIND.set(state.replicas_behind)
        if seq > state.last_seq:
            return f"the log regressed at seq {seq}: it now ends at {state.last_seq}"
        behind = newest - seq
        return f"the views are {behind} commits behind the log" if behind > MAX_LAG else None

    async def _wait_for_access(self, error: Exception) -> None:
        self.problem = f"the views at {self.path} cannot be written: {error}. {MAKE_ROOM}"
        log.error("cannot write the views; trying again", reason=self.problem)
        await asyncio.sleep(ACCESS_S)

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Database]:
        """Open views of the current version whose commits are in the log. Build them if there are none."""
        if self.path.exists():
            async with Database.open(self.path) as database:
                checkpoint = await database.position()
                reason = await regression(self.source, checkpoint.mark)
                if checkpoint.version == VIEWS_VERSION and not reason:
                    remove(self._next)
                    self.problem = None
                    yield database
                    return
            if reason:
                await self._accepted(checkpoint, reason)
                self._move_aside(f"regressed-{checkpoint.mark.seq}", reason)
        await self._build()
        self.problem = None
        async with Database.open(self.path) as database:
            yield database

    async def _accepted(self, checkpoint: Checkpoint, reason: str) -> None:
        """Halt the log and wait until an operator accepts it."""
        while (state := await self._state()).accepted <= checkpoint.mark.accepted:
            if not state.halted:
                await self.source.halt(reason)
            self.problem = f"{reason}. The views still include the lost commits; {WAY_OUT}"
            await asyncio.sleep(WATCH_S)

    async def _state(self) -> LogState:
        while True:
            with contextlib.suppress(Unavailable):
                return await self.source.state()

    async def _build(self) -> None:
        await discard_if_unusable(self.source, self._next)
        self.problem = building = Building(await self.source.last_seq())
        try:
            await build(self.source, self._next, self.fold, building)
        except Damaged as error:
            remove(self._next)
            raise BuildFailed(f"the new views cannot be written: {error}") from error
        move(self._next, self.path)
        log.info("views rebuilt", seq=building.seq, version=VIEWS_VERSION)

    def _move_aside(self, why: str, reason: str) -> None:
        """Rename the views file to keep it. Older damaged files are deleted; regressed ones are all kept."""
        for older in self.path.parent.glob(f"{escape(self.path.name)}.damaged-*"):
            older.unlink()
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        aside = self.path.with_name(f"{self.path.name}.{why}-{now}")
        log.error("building the views again; the old file is kept", reason=reason, kept=str(aside))
        move(self.path, aside)

    async def _follow(self, database: Database) -> None:
        await self._reached((await database.position()).mark.seq)
        tasks = [asyncio.create_task(one) for one in (self._watch(database), self._apply_all(database))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _apply_all(self, database: Database) -> None:
        state = await self.source.state()
        async with aclosing(self.source.tail(after=self.seq)) as batches:
            async for batch in batches:
                await self._apply(database, batch, state)
                if len(batch) > BUSY_COMMITS:
                    await asyncio.sleep(BUSY_PAUSE_S)

    async def _apply(self, database: Database, batch: Sequence[Recorded], state: LogState) -> None:
        mark = Mark.at(batch[-1], state)
        with metrics.BATCH_SECONDS.time():
            await database.write(self.fold(batch).statements(), mark, after=self.seq)
        metrics.COMMITS.inc(len(batch))
        await self._reached(mark.seq)

    async def _reached(self, seq: int) -> None:
        """The views include the log up to `seq`."""
        self.seq = seq
        metrics.POSITION.set(seq)
        await self.announce(seq)

    async def _watch(self, database: Database) -> None:
        """Inspect the file at start and when a reader reports damage; check for changes by other programs."""
        suspect = self.path.with_name(self.path.name + SUSPECT)
        suspect.touch()
        while True:
            database.check()
            if suspect.exists():
                suspect.unlink(missing_ok=True)
                await inspect(database)
            await asyncio.sleep(WATCH_S)


async def checkpoint_of(path: Path) -> Checkpoint | None:
    """The checkpoint of the views at `path`; None if the file does not exist.

    Raises:
        Damaged: the file has no checkpoint.
    """
    if not path.exists():
        return None
    async with Database.open(path) as database:
        return await database.position()


async def refuse_if_regressed(source: Log, path: Path) -> str | None:
    """Check that the views at `path` are not the last copy of commits that the log has lost.

    Returns None if the log has lost no commits, or how it lost them if an operator has accepted the loss.

    Raises:
        LogRegressed: the log has lost commits that the views include.
        Damaged: the file has no checkpoint.
    """
    checkpoint = await checkpoint_of(path)
    reason = checkpoint and await regression(source, checkpoint.mark)
    if checkpoint and reason and (await source.state()).accepted <= checkpoint.mark.accepted:
        raise LogRegressed(f"{reason}. The views are unchanged; {WAY_OUT}")
    return reason or None
