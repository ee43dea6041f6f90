"""A projector that follows a memory log, and what it writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, transact
from projector.database import Database
from projector.projector import Projector
from tests.waiting import WAIT_S

ORIGIN = Origin("/test/1")


class Views:
    """A projector at work, and its tables."""

    def __init__(self, log: MemoryLog, path: Path) -> None:
        self.log = log
        self.path = path
        self._advanced = asyncio.Condition()
        self._seq = -1
        self.projector = Projector(log, path, self._announced)

    async def write(self, aggregate: Aggregate[Any], id_: str, *events: Event) -> None:
        """One commit for each event."""
        for event in events:
            await transact(self.log, aggregate, id_, lambda _, event=event: [event], ORIGIN)  # type: ignore[misc]

    async def rows(self, table: Any) -> list[dict[str, Any]]:
        """All rows, once everything written is in the views."""
        await self.caught_up()
        return await self.rows_as_they_are(table)

    async def rows_as_they_are(self, table: Any) -> list[dict[str, Any]]:
        """All rows of the file."""
        async with Database.open(self.path) as database:
            with database.engine.connect() as connection:
                return [dict(row) for row in connection.execute(select(table)).mappings()]

    async def row(self, table: Any) -> dict[str, Any]:
        (found,) = await self.rows(table)
        return found

    async def caught_up(self) -> None:
        newest = await self.log.last_seq()
        async with asyncio.timeout(WAIT_S), self._advanced:
            await self._advanced.wait_for(lambda: self._seq >= newest)

    async def announced_again(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do `act`, then wait for the projector to announce a position once more."""
        self._seq = -1
        await act()
        await self.caught_up()

    async def _announced(self, seq: int) -> None:
        async with self._advanced:
            self._seq = seq
            self._advanced.notify_all()


@asynccontextmanager
async def projecting(views: Views) -> AsyncGenerator[None]:
    task = asyncio.create_task(views.projector.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
