"""Verifies the views: folds the log again and compares every row."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Table

from contracts.runtime.continuity import LogRegressed, regression
from contracts.runtime.log import Log
from contracts.views import checkpoint, metadata
from projector.building import Building, build
from projector.database import Database
from projector.projector import views_fold

SqlRow = tuple[Any, ...]


@dataclass(frozen=True)
class Difference:
    """Number of rows of one table that exist on one side only. A row with different values counts on both."""

    table: str
    only_in_views: int
    only_in_log: int


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison at one position of the log."""

    seq: int
    rows: int
    differences: tuple[Difference, ...]


async def verify(source: Log, views: Path) -> Comparison:
    """Compare a snapshot of the views with a fresh fold of the log up to the snapshot's position.

    Raises:
        FileNotFoundError: the views file does not exist.
        LogRegressed: the log has lost commits that the views include.
        Damaged: the file is not a views file.
    """
    if not views.exists():
        raise FileNotFoundError(views)
    with TemporaryDirectory(dir=views.parent) as directory:
        snapshot, fresh = Path(directory) / "snapshot.db", Path(directory) / "fresh.db"
        async with Database.open(views) as database:
            await database.execute("VACUUM INTO :path", path=str(snapshot))
        async with Database.open(snapshot) as database:
            mark = (await database.position()).mark
        if reason := await regression(source, mark):
            raise LogRegressed(f"{reason}; the views cannot be verified")
        await build(source, fresh, views_fold(), Building(mark.seq))
        rows, differences = await asyncio.to_thread(_compare, snapshot, fresh)
        return Comparison(mark.seq, rows, differences)


def _compare(snapshot: Path, fresh: Path) -> tuple[int, tuple[Difference, ...]]:
    """The number of rows in the views, and the tables that differ."""
    with closing(sqlite3.connect(snapshot)) as ours, closing(sqlite3.connect(fresh)) as theirs:
        compared = [
            _compare_table(table, ours, theirs) for table in metadata.sorted_tables if table is not checkpoint
        ]
    rows = sum(count for count, _ in compared)
    return rows, tuple(one for _, one in compared if one.only_in_views or one.only_in_log)


def _compare_table(
    table: Table, ours: sqlite3.Connection, theirs: sqlite3.Connection
) -> tuple[int, Difference]:
    """Compare the rows of both files in key order, with one row of each in memory."""
    keys = len(table.primary_key.columns)
    rows = only_ours = only_theirs = 0
    left, right = _rows(table, ours), _rows(table, theirs)
    mine, other = next(left, None), next(right, None)
    while mine is not None or other is not None:
        order = _order(mine, other, keys)
        differ = order or mine != other
        only_ours += bool(differ and order <= 0)
        only_theirs += bool(differ and order >= 0)
        if order <= 0:
            rows, mine = rows + 1, next(left, None)
        if order >= 0:
            other = next(right, None)
    return rows, Difference(table.name, only_ours, only_theirs)


def _rows(table: Table, connection: sqlite3.Connection) -> Iterator[SqlRow]:
    """All rows in key order, key columns first. Text is returned as bytes, which is how SQLite sorts it."""
    connection.text_factory = bytes
    keys = [f'"{column.name}"' for column in table.primary_key.columns]
    others = [f'"{column.name}"' for column in table.columns if not column.primary_key]
    order = ", ".join(keys)
    return iter(connection.execute(f'SELECT {", ".join(keys + others)} FROM "{table.name}" ORDER BY {order}'))


def _order(mine: SqlRow | None, other: SqlRow | None, keys: int) -> int:
    """Negative if the key of `mine` is lower, positive if higher, 0 if equal. None (the end) sorts last."""
    if mine is None or other is None:
        return (mine is None) - (other is None)
    return (mine[:keys] > other[:keys]) - (mine[:keys] < other[:keys])
