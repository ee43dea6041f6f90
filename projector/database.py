"""The views' SQLite file: opening it, and writing a batch together with the checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.dialects.sqlite import insert

from contracts.runtime.continuity import Mark
from contracts.views import VIEWS_VERSION, checkpoint, metadata
from projector.changes import Statement
from projector.file_errors import Damaged, FileReplaced, sqlite_errors
from projector.wal_checkpoints import Moved, WalCheckpoints

T = TypeVar("T")

MOVE_CHECKPOINT = (
    f"UPDATE {checkpoint.name} SET seq = ?, digest = ?, log_created = ?, log_accepted = ? WHERE seq = ?"
)
COLUMNS = """
    SELECT tables.name, columns.name
    FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
    WHERE tables.type = 'table'
"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The position of a views file."""

    version: int
    """Version of the tables."""
    mark: Mark
    """The position in the log up to which the views include commits."""


class Database:
    """An open views file. Only one process may write it at a time; see `ownership`.

    A transaction runs in a thread as a whole: a change of threads takes as long as several statements.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self.engine = engine
        self._stamp = _stamp(path)
        self._writing = False
        self._checkpoints = WalCheckpoints(self._checkpoint)

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncGenerator[Database]:
        """Open the file; create it with empty tables if it does not exist.

        Raises:
            Damaged: it is not a views file, or lacks a table or column of its version.
            Inaccessible: it cannot be opened or created now.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            remove(path)
        engine = create_engine(
            URL.create("sqlite", database=str(path)),
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            pool_reset_on_return=None,
        )
        event.listen(engine, "connect", _pragmas)
        try:
            await _in_thread(lambda: _create_or_check(engine))
            database = cls(path, engine)
            try:
                yield database
            finally:
                await database._checkpoints.wait()
        finally:
            engine.dispose()

    async def position(self) -> Checkpoint:
        """Read the checkpoint.

        Raises:
            Damaged: the file has no checkpoint.
            Inaccessible: it cannot be read now.
        """
        return await _in_thread(self._position)

    def _position(self) -> Checkpoint:
        with self.engine.connect() as connection:
            found = connection.execute(text(f"SELECT * FROM {checkpoint.name}"))
            row = found.mappings().one_or_none()
        if row is None:
            raise Damaged("it has no checkpoint")
        mark = Mark(
            row["seq"], row.get("digest", ""), row.get("log_created", ""), row.get("log_accepted", "")
        )
        return Checkpoint(row["version"], mark)

    async def write(self, statements: Sequence[Statement], mark: Mark, *, after: int) -> None:
        """Execute the statements and move the checkpoint from sequence `after` to `mark` in one transaction.

        Raises:
            FileReplaced: the file was deleted or replaced. Nothing was written.
            Damaged: the file does not contain the last write of this process.
            Inaccessible: it cannot be written now. Nothing was written.
        """
        self.check()
        self._writing = True
        try:
            await self._checkpoints.before_write()
            rows = await _in_thread(lambda: self._write(statements, mark, after))
        finally:
            self._writing = False
        self._note_change()
        self._checkpoints.after_write(rows)

    def _write(self, statements: Sequence[Statement], mark: Mark, after: int) -> int:
        """Returns the number of changed rows."""
        with self.engine.begin() as connection:
            driver = connection.connection.cursor()
            before: int = driver.connection.total_changes
            for statement in statements:
                if isinstance(statement, tuple):
                    prepared, rows = statement
                    driver.executemany(prepared.sql, prepared.rows(rows))
                else:
                    connection.execute(statement)
            driver.execute(MOVE_CHECKPOINT, (mark.seq, mark.digest, mark.created, mark.accepted, after))
            if driver.rowcount != 1:
                raise Damaged(f"its checkpoint is not at {after}, where this projector last set it")
            changed: int = driver.connection.total_changes
            return changed - before

    async def _checkpoint(self) -> Moved:
        """Move what no reader needs from the write-ahead log into the file.

        Raises:
            Damaged: the file is damaged.
            Inaccessible: it cannot be written now.
        """

        def once() -> Moved:
            with self.engine.connect() as connection:
                _, pages, moved = connection.execute(text("PRAGMA wal_checkpoint(PASSIVE)")).one()
            return Moved(pages, moved)

        moved = await _in_thread(once)
        self._note_change()
        return moved

    def _note_change(self) -> None:
        """This process has changed the file. A file that replaced it stays unknown, and `check` tells it."""
        found = _stamp(self.path)
        if found[0] == self._stamp[0]:
            self._stamp = found

    def check(self) -> None:
        """Check that no other program has changed the file.

        During a write or a checkpoint, only whether it was replaced: both change it before it is known here.

        Raises:
            FileReplaced: the file was deleted or replaced.
            Damaged: another program has written to it.
        """
        inode, written = _stamp(self.path)
        if inode != self._stamp[0]:
            raise FileReplaced(str(self.path))
        if self._writing or self._checkpoints.is_running:
            return
        if written != self._stamp[1]:
            raise Damaged("another program has written to it")

    async def fold_log_into_file(self) -> None:
        """Move the content of the write-ahead log into the database file (a WAL checkpoint)."""
        await self._checkpoints.wait()
        await self.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def execute(self, sql: str, **parameters: Any) -> None:
        """Execute one SQL statement outside of a transaction, such as PRAGMA or VACUUM.

        Raises:
            Damaged: the file is damaged.
            Inaccessible: it cannot be read or written now.
        """

        def once() -> None:
            with self.engine.connect() as connection:
                connection.execute(text(sql), parameters)

        await _in_thread(once)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread and raise SQLite's errors as ours. A cancellation waits for its end.

    Nothing else waits for the thread, and the file may be moved or closed after a cancellation.
    """
    working = asyncio.ensure_future(asyncio.to_thread(work))
    with sqlite_errors():
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            await asyncio.wait([working])
            working.exception()
            raise


def create_tables(connection: Connection) -> None:
    """Create empty tables of the current version in one transaction."""
    # Python's driver begins a transaction automatically before INSERT, but not before CREATE TABLE.
    connection.execute(text("BEGIN IMMEDIATE"))
    metadata.create_all(connection)
    connection.execute(insert(checkpoint).values(id=1, version=VIEWS_VERSION, seq=0))


def remove(path: Path) -> None:
    """Delete a views file and the files that SQLite keeps beside it."""
    for suffix in SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def move(path: Path, target: Path) -> None:
    """Rename a closed views file. A file at `target` is replaced.

    The database file is renamed first: SQLite applies a write-ahead log to any database of the matching name.
    """
    remove(target)
    for suffix in SUFFIXES:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))


SUFFIXES = ("", "-wal", "-shm")


def _create_or_check(engine: Engine) -> None:
    with engine.begin() as connection:
        _create_or_check_tables(connection)


def _create_or_check_tables(connection: Connection) -> None:
    columns = _columns(connection)
    if not columns:
        create_tables(connection)
        return
    if checkpoint.name not in columns:
        raise Damaged("it is not a views file")
    if connection.execute(text(f"SELECT version FROM {checkpoint.name}")).scalar() != VIEWS_VERSION:
        return
    for table in metadata.tables.values():
        if table.name not in columns:
            raise Damaged(f"it lacks the table {table.name}")
        if lacking := {one.name for one in table.columns} - columns[table.name]:
            raise Damaged(f"its table {table.name} lacks {', '.join(sorted(lacking))}")


def _columns(connection: Connection) -> dict[str, set[str]]:
    """The columns of each table, in one query of the driver: SQLAlchemy takes ten times as long."""
    found: dict[str, set[str]] = {}
    for table, column in connection.connection.cursor().execute(COLUMNS):
        found.setdefault(table, set()).add(column)
    return found


def _stamp(path: Path) -> tuple[int, int]:
    """Inode and modification time. They change if another program replaces the file or writes to it.

    Raises:
        FileReplaced: the file does not exist.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise FileReplaced(str(path)) from None
    return found.st_ino, found.st_mtime_ns


def _pragmas(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "wal_autocheckpoint = 0",
        "busy_timeout = 10000",
        "temp_store = MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
