"""SQLite's write-ahead log is moved into the views file beside the writes, and stays bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.runtime.continuity import Mark
from contracts.views import outputs
from projector.changes import Changes
from projector.database import Database
from projector.file_errors import Damaged, Inaccessible
from projector.wal_checkpoints import CHECKPOINT_ROWS, MOST_PAGES, Moved, WalCheckpoints

if TYPE_CHECKING:
    from tests.conftest import Eventually

PAGE = 4096
SQLITES_OWN = 1000
"""Pages after which SQLite itself moves the log within a commit."""


class Writing:
    """Writes outputs of runs."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._written = 0

    async def write(self, rows: int, *, pages: int = 1) -> None:
        """One transaction. `pages`: of each row."""
        first, self._written = self._written, self._written + rows
        changes = Changes()
        for n in range(first, self._written):
            row = {"id": str(n), "run_id": "r", "kind": "file", "inherited": None, "created_at": n}
            changes.insert(outputs, {**row, "path_or_payload": "x" * pages * PAGE})
        after = (await self.database.position()).mark.seq
        await self.database.write(changes.statements(), Mark(after + 1, "", "", ""), after=after)

    @property
    def moved(self) -> int:
        """Number of rows in the file itself."""
        with closing(sqlite3.connect(f"file:{self.database.path}?immutable=1", uri=True)) as file:
            try:
                (count,) = file.execute("SELECT count(*) FROM outputs").fetchone()
            except sqlite3.DatabaseError:  # without its log it is no whole database in a checkpoint
                return 0
        return int(count)

    @property
    def log_pages(self) -> int:
        path = self.database.path
        return path.with_name(path.name + "-wal").stat().st_size // PAGE


@pytest.fixture
async def views(tmp_path: Path) -> AsyncGenerator[Writing]:
    async with Database.open(tmp_path / "views.db") as database:
        yield Writing(database)


async def test_a_commit_does_not_move_the_log_into_the_file(views: Writing) -> None:
    await views.write(CHECKPOINT_ROWS - 1, pages=2 * SQLITES_OWN // CHECKPOINT_ROWS)
    assert views.log_pages > SQLITES_OWN
    assert views.moved == 0


async def test_the_log_is_moved_into_the_file_after_a_commit(views: Writing, eventually: Eventually) -> None:
    await views.write(CHECKPOINT_ROWS)
    await eventually(lambda: views.moved == CHECKPOINT_ROWS)
    await views.write(1)
    await eventually(lambda: not views.database._checkpoints.is_running)
    views.database.check()


async def test_a_log_that_a_reader_has_made_long_is_moved_before_the_next_write(views: Writing) -> None:
    """Then it begins anew, and does not grow."""
    await views.write(1)
    with closing(sqlite3.connect(views.database.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM outputs").fetchall()
        await views.write(CHECKPOINT_ROWS, pages=MOST_PAGES // CHECKPOINT_ROWS + 1)
        await views.database._checkpoints.wait()
        assert views.moved < CHECKPOINT_ROWS
    await views.write(1)
    grown = views.log_pages
    assert grown > MOST_PAGES
    assert views.moved >= CHECKPOINT_ROWS + 1
    for _ in range(10):
        await views.write(1)
    assert views.log_pages == grown


async def test_a_log_that_is_moved_before_a_write_does_not_look_like_a_change_by_another_program(
    views: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others check the file while it is moved: after it has changed, and before that is known."""
    problems: list[Exception] = []
    note_change = views.database._note_change

    def check_first() -> None:
        try:
            views.database.check()
        except Damaged as damaged:
            problems.append(damaged)
        note_change()

    await views.write(1)
    monkeypatch.setattr(views.database._checkpoints, "_pages", MOST_PAGES)
    monkeypatch.setattr(views.database, "_note_change", check_first)
    await views.write(1)
    assert views.moved >= 1
    assert problems == []


async def test_a_log_that_becomes_long_beside_the_writes_is_moved_before_the_next_one() -> None:
    """A checkpoint beside a write moves all that it has seen, but the log does not begin anew."""
    done: list[int] = []

    async def checkpoint() -> Moved:
        done.append(1)
        return Moved(MOST_PAGES, MOST_PAGES)

    checkpoints = WalCheckpoints(checkpoint)
    checkpoints.after_write(CHECKPOINT_ROWS)
    await checkpoints.wait()
    await checkpoints.before_write()
    await checkpoints.before_write()
    assert len(done) == 2


async def test_a_checkpoint_that_fails_fails_no_write() -> None:
    async def checkpoint() -> Moved:
        raise Inaccessible("the disk is full")

    checkpoints = WalCheckpoints(checkpoint)
    checkpoints.after_write(CHECKPOINT_ROWS)
    await checkpoints.wait()
    await checkpoints.before_write()
    assert not checkpoints.is_running
