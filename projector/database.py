"""The views' SQLite file: opening, writing a batch with its checkpoint, swapping in a set built beside it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import orjson
from sqlalchemy import URL, Connection, event, inspect, select, text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from contracts.views import VIEWS_VERSION, checkpoint, metadata
from projector.changes import Statement

MOVE_CHECKPOINT = f"UPDATE {checkpoint.name} SET seq = ?"


class Vanished(Exception):
    """The file was deleted or replaced under us."""


class Database:
    """One open views file."""

    def __init__(self, path: Path, engine: AsyncEngine) -> None:
        self.path = path
        self.engine = engine
        self._inode = path.stat().st_ino

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncGenerator[Database]:
        """The file, created with empty tables when it is not there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            remove(path)
        engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(path)),
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            pool_reset_on_return=None,
        )
        event.listen(engine.sync_engine, "connect", _pragmas)
        try:
            async with engine.begin() as connection:
                existed = await connection.run_sync(lambda sync: inspect(sync).has_table(checkpoint.name))
                if not existed:
                    await connection.run_sync(create_tables)
            yield cls(path, engine)
        finally:
            await engine.dispose()

    async def position(self) -> tuple[int, int]:
        """Version of the views and the stream sequence they include."""
        async with self.engine.connect() as connection:
            row = (await connection.execute(select(checkpoint.c.version, checkpoint.c.seq))).one()
            return row.version, row.seq

    async def write(self, statements: Sequence[Statement], seq: int) -> None:
        """One transaction: the statements and the checkpoint.

        Raises:
            Vanished: the file is not the one we opened; nothing of value was written.
        """
        self.check()
        async with self.engine.begin() as connection:
            driver = await _driver(connection)
            for statement in statements:
                if isinstance(statement, tuple):
                    prepared, rows = statement
                    await driver.executemany(prepared.sql, prepared.rows(rows))
                else:
                    await connection.execute(statement)
            await driver.execute(MOVE_CHECKPOINT, (seq,))

    def check(self) -> None:
        """Raises Vanished when the path no longer leads to the file we opened."""
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
            raise Vanished(str(self.path)) from None
        if inode != self._inode:
            raise Vanished(str(self.path))

    async def take_over(self, fresh: Path) -> None:
        """Replace every table by those of `fresh`, in one transaction: readers see the old set or the new."""
        async with self.engine.connect() as connection:
            await connection.execute(text("ATTACH DATABASE :path AS fresh"), {"path": str(fresh)})
            await connection.commit()
            async with connection.begin():
                await connection.run_sync(_replace_tables)
            await connection.execute(text("DETACH DATABASE fresh"))

    async def fold_log_into_file(self) -> None:
        """Move everything from the write-ahead log into the file itself."""
        async with self.engine.connect() as connection:
            await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


async def _driver(connection: AsyncConnection) -> aiosqlite.Connection:
    """Beneath SQLAlchemy: one trip to the driver's thread for a statement instead of three."""
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert isinstance(driver, aiosqlite.Connection)  # the engine's URL says so
    return driver


def create_tables(connection: Connection) -> None:
    """Empty tables of today's version, all or none."""
    _begin(connection)
    metadata.create_all(connection)
    connection.execute(insert(checkpoint).values(id=1, version=VIEWS_VERSION, seq=0))


def remove(path: Path) -> None:
    """Delete a views file with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _begin(connection: Connection) -> None:
    """Python's driver begins a transaction by itself before it writes a row, not before it makes a table."""
    connection.execute(text("BEGIN IMMEDIATE"))


def _replace_tables(connection: Connection) -> None:
    _begin(connection)
    old = connection.execute(
        text("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    )
    for (name,) in old.all():
        connection.execute(text(f'DROP TABLE main."{name}"'))
    metadata.create_all(connection, checkfirst=False)
    for table in metadata.sorted_tables:
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        connection.execute(
            text(f'INSERT INTO main."{table.name}" ({columns}) SELECT {columns} FROM fresh."{table.name}"')
        )


def _pragmas(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "busy_timeout = 10000",
        "temp_store = MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
