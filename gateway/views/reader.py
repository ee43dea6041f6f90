"""Reading the views, read-only. A file that is replaced is opened again at the next read.

Reads happen in the event loop, not in a thread: one row of a WAL database comes in a fraction of the time
that handing the question to a thread and back takes, and a page of fifty in less than half a millisecond.
What goes through much of the history, such as a sum over it, is read in a long snapshot, which uses a thread.
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

from contracts.views import NEXT, SUSPECT, checkpoint

logger = structlog.get_logger(__name__)

T = TypeVar("T")

LOCKED_S = 0.1
"""How long a read may wait for a lock. Writers never hold one against readers of a WAL database, except for
a moment when the file is made."""

INODE = "inode"

DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Error codes of a file that is damaged, or no database at all."""

_POSITION = select(checkpoint.c.seq)

Row = Mapping[str, Any]
"""A row's values by column name."""


class ViewsUnavailable(Exception):
    """The views cannot be read at the moment. The projector builds or replaces them."""


class Reader(ABC):
    """Select statements on the views; `given` are the values of a statement's parameters.

    Every method raises ViewsUnavailable when there is no such file, or it is not of our version yet.
    """

    async def all(self, statement: Executable, **given: Any) -> Sequence[Row]:
        """Every row."""
        return await self._read(
            lambda connection: cast("Sequence[Row]", connection.execute(statement, given).mappings().all())
        )

    async def first(self, statement: Executable, **given: Any) -> Row | None:
        """The first row, if any."""
        return await self._read(
            lambda connection: cast("Row | None", connection.execute(statement, given).mappings().first())
        )

    async def value(self, statement: Executable, **given: Any) -> Any:
        """The first column of the first row, None when there is no row."""
        return await self._read(lambda connection: connection.execute(statement, given).scalar())

    @abstractmethod
    async def _read(self, read: Callable[[Connection], T]) -> T: ...


class Views(Reader):
    """The views in one SQLite file, opened read-only, and opened again when another file is in its place."""

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
        """For every read that is not in a snapshot."""

    async def position(self) -> int:
        """Stream sequence that the views include."""
        return int(await self.value(_POSITION) or 0)

    def building(self) -> int | None:
        """Stream sequence that the next views include already; None when none are being built."""
        url = f"file:{quote(str(self._beside(NEXT).absolute()))}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(url, uri=True, timeout=LOCKED_S)) as connection:
                (seq,) = connection.execute(str(_POSITION)).fetchone()
        except (sqlite3.Error, TypeError):
            return None
        return int(seq)

    @asynccontextmanager
    async def snapshot(self, *, long: bool = False) -> AsyncGenerator[Reader]:
        """Several statements that see the same moment; those that may take long are executed in a thread."""
        with self._unavailable(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield _Snapshot(connection, long=long)
            finally:
                if not connection.invalidated:
                    connection.exec_driver_sql("ROLLBACK")

    async def close(self) -> None:
        """Let go of the file."""
        self._let_go()
        self._engine.dispose()

    async def _read(self, read: Callable[[Connection], T]) -> T:
        with self._unavailable():
            try:
                return read(self._connection())
            except (exc.DatabaseError, FileNotFoundError):
                self._let_go()
                raise

    def _connection(self) -> Connection:
        """To the file that is there now. As long as one is open, no other has its inode."""
        if self._open is None or self._open.info[INODE] != self._path.stat().st_ino:
            self._let_go()
            self._open = self._engine.connect()
        return self._open

    def _let_go(self) -> None:
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
        """Make the projector inspect the file; it replaces a damaged one."""
        suspect = self._beside(SUSPECT)
        if suspect.exists():
            return
        logger.warning("the views file is damaged; the projector inspects it", error=error)
        with contextlib.suppress(OSError):
            suspect.touch()

    def _beside(self, suffix: str) -> Path:
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
    """What `work` gives, done in a thread; when cancelled, not before the thread is done."""
    done = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        await asyncio.wait([done])
        raise
