"""Read-only access to the views. A replaced file is reopened at the next read.

Reads run in the event loop, not in a thread. Reading one row of a WAL database takes a fraction of the time
of a thread switch, and a page of fifty rows takes less than half a millisecond. Queries over much of the
history, such as sums, use a long snapshot, which runs in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

import orjson
import structlog
from sqlalchemy import URL, Connection, Executable, create_engine, event, exc, select
from sqlalchemy.pool import ConnectionPoolEntry

from contracts.runtime.log import LogState
from contracts.views import NEXT, SUSPECT, checkpoint

logger = structlog.get_logger(__name__)

T = TypeVar("T")

LOCKED_S = 0.1
"""Maximum seconds that a read waits for a lock. Writers of a WAL database block readers only while the file
is created."""

INODE = "inode"

DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Error codes of a file that is damaged or not a database."""

_POSITION = select(checkpoint.c.seq)
_LOG = select(checkpoint.c.log_created, checkpoint.c.log_accepted)

Row = Mapping[str, Any]
"""A row's values by column name."""


class ViewsUnavailable(Exception):
    """The views cannot be read at the moment. The projector builds or replaces them."""


class Reader(ABC):
    """Executes SELECT statements on the views. `given` are the parameters of a statement.

    Every method raises ViewsUnavailable if the file is missing or has another version.
    """

    async def all(self, statement: Executable, **given: Any) -> Sequence[Row]:
        """Return all rows."""
        return await self._read(
            lambda connection: cast("Sequence[Row]", connection.execute(statement, given).mappings().all())
        )

    async def first(self, statement: Executable, **given: Any) -> Row | None:
        """Return the first row, or None."""
        return await self._read(
            lambda connection: cast("Row | None", connection.execute(statement, given).mappings().first())
        )

    async def value(self, statement: Executable, **given: Any) -> Any:
        """Return the first column of the first row, or None if there is no row."""
        return await self._read(lambda connection: connection.execute(statement, given).scalar())

    @abstractmethod
    async def _read(self, read: Callable[[Connection], T]) -> T: ...


class Views(Reader):
    """The views in one SQLite file. It is opened read-only, and reopened after it is replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = create_engine(
            URL.create(
                "sqlite",
                database=f"file:{quote(str(path.absolute()))}",
                query={"mode": "ro", "uri": "true", "timeout": str(LOCKED_S), "check_same_thread": "false"},
            ),
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            max_overflow=-1,
            pool_reset_on_return=None,
            json_deserializer=orjson.loads,
        )
        event.listen(self._engine, "do_connect", self._opening)
        event.listen(self._engine, "checkout", self._taken)
        self._open: Connection | None = None
        """The connection for reads outside of snapshots."""

    async def position(self) -> int:
        """Return the stream sequence up to which the views are current."""
        return int(await self.value(_POSITION) or 0)

    async def belong_to(self, log: LogState) -> bool:
        """Return whether the views were built from this log, and not from one that it replaced."""
        row = await self.first(_LOG)
        return row is None or not row["log_created"] or tuple(row.values()) == (log.created, log.accepted)

    def building(self) -> int | None:
        """Return the stream sequence that the rebuild has reached, or None if no rebuild is in progress."""
        url = f"file:{quote(str(self._sibling(NEXT).absolute()))}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(url, uri=True, timeout=LOCKED_S)) as connection:
                (seq,) = connection.execute(str(_POSITION)).fetchone()
        except (sqlite3.Error, TypeError):
            return None
        return int(seq)

    @asynccontextmanager
    async def snapshot(self, *, long: bool = False) -> AsyncGenerator[Reader]:
        """Yield a reader whose statements see the same state. `long` runs them in a thread."""
        with self._unavailable(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield _Snapshot(connection, long=long)
            finally:
                if not connection.invalidated:
                    connection.exec_driver_sql("ROLLBACK")

    async def close(self) -> None:
        """Close the file."""
        self._release()
        self._engine.dispose()

    async def _read(self, read: Callable[[Connection], T]) -> T:
        with self._unavailable():
            try:
                return read(self._connection())
            except (exc.DatabaseError, FileNotFoundError):
                self._release()
                raise

    def _connection(self) -> Connection:
        """Return a connection to the current file. While a file is open, its inode is not reused."""
        if self._open is None or self._open.info[INODE] != self._path.stat().st_ino:
            self._release()
            self._open = self._engine.connect()
        return self._open

    def _release(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    @contextlib.contextmanager
    def _unavailable(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ViewsUnavailable("the views are being rebuilt") from error
        except exc.DatabaseError as error:
            text = str(error).partition("\n")[0]
            logger.debug("the views cannot be read", error=text)
            if getattr(error.orig, "sqlite_errorcode", None) in DAMAGE:
                self._report_damage(text)
            raise ViewsUnavailable("the views are being rebuilt") from error

    def _report_damage(self, error: str) -> None:
        """Make the projector inspect the file. It replaces a damaged file."""
        suspect = self._sibling(SUSPECT)
        if suspect.exists():
            return
        logger.warning("the views file is damaged; the projector inspects it", error=error)
        with contextlib.suppress(OSError):
            suspect.touch()

    def _sibling(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def _opening(self, _: object, entry: ConnectionPoolEntry, *__: object) -> None:
        entry.info[INODE] = self._path.stat().st_ino

    def _taken(self, _: object, entry: ConnectionPoolEntry, __: object) -> None:
        if entry.info[INODE] != self._path.stat().st_ino:
            raise exc.DisconnectionError("another file is in its place")


class _Snapshot(Reader):
    def __init__(self, connection: Connection, *, long: bool) -> None:
        self._connection = connection
        self._long = long

    async def _read(self, read: Callable[[Connection], T]) -> T:
        if self._long:
            return await _in_thread(lambda: read(self._connection))
        return read(self._connection)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread and return its result. A cancellation waits for the thread."""
    done = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        await asyncio.wait([done])
        raise
