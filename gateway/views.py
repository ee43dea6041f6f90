"""Reading the views: never writing, never failing for good because the file was replaced."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import orjson
import structlog
from sqlalchemy import URL, Executable, event, exc, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from contracts.views import checkpoint

logger = structlog.get_logger(__name__)

POOL = 8
"""Connections, each a thread."""
INODE = "inode"

Row = Mapping[str, Any]
"""A row's values by column name."""


class ViewsUnavailable(Exception):
    """The views are not there at the moment; the projector is making them."""


class Reader:
    """Select statements on one connection; `given` are the values of a statement's parameters."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self, statement: Executable, **given: Any) -> Sequence[Row]:
        """Every row."""
        return cast("Sequence[Row]", (await self._connection.execute(statement, given)).mappings().all())

    async def first(self, statement: Executable, **given: Any) -> Row | None:
        """The first row, if any."""
        return cast("Row | None", (await self._connection.execute(statement, given)).mappings().first())

    async def value(self, statement: Executable, **given: Any) -> Any:
        """The first column of the first row, None when there is no row."""
        return (await self._connection.execute(statement, given)).scalar()


class Views:
    """The views in one SQLite file, opened read-only, and opened again when another file is in its place.

    Every method raises ViewsUnavailable when there is no such file, or it is not of our version yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = create_async_engine(
            URL.create(
                "sqlite+aiosqlite",
                database=f"file:{quote(str(path.absolute()))}",
                query={"mode": "ro", "uri": "true"},
            ),
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_size=POOL,
            max_overflow=0,
            pool_reset_on_return=None,
            json_deserializer=orjson.loads,
        )
        event.listen(self._engine.sync_engine, "do_connect", self._opening)
        event.listen(self._engine.sync_engine, "checkout", self._taken)

    async def all(self, statement: Executable, **given: Any) -> Sequence[Row]:
        """Every row."""
        async with self._reader() as reader:
            return await reader.all(statement, **given)

    async def first(self, statement: Executable, **given: Any) -> Row | None:
        """The first row, if any."""
        async with self._reader() as reader:
            return await reader.first(statement, **given)

    async def value(self, statement: Executable, **given: Any) -> Any:
        """The first column of the first row, None when there is no row."""
        async with self._reader() as reader:
            return await reader.value(statement, **given)

    async def position(self) -> int:
        """Stream sequence that the views include."""
        return int(await self.value(select(checkpoint.c.seq)) or 0)

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[Reader]:
        """Several statements that see the same moment."""
        async with self._connection() as connection:
            await connection.exec_driver_sql("BEGIN")
            try:
                yield Reader(connection)
            finally:
                if not connection.invalidated:
                    await connection.exec_driver_sql("ROLLBACK")

    async def close(self) -> None:
        """Let go of the file."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _reader(self) -> AsyncGenerator[Reader]:
        async with self._connection() as connection:
            yield Reader(connection)

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (exc.DatabaseError, exc.TimeoutError, FileNotFoundError) as error:
            logger.debug("the views cannot be read", error=str(error).partition("\n")[0])
            raise ViewsUnavailable("the views are being rebuilt") from error

    def _opening(self, _: object, entry: ConnectionPoolEntry, *__: object) -> None:
        entry.info[INODE] = self._path.stat().st_ino

    def _taken(self, _: object, entry: ConnectionPoolEntry, __: object) -> None:
        if entry.info[INODE] != self._path.stat().st_ino:
            raise exc.DisconnectionError("another file is in its place")
