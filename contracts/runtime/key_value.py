"""Small values by name, each written only by who knows its last revision, and forgotten after a day."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Protocol, TypeVar

from nats.js.errors import APIError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from contracts.runtime.nats.connection import WRONG_LAST_SEQUENCE, Connection
from contracts.runtime.nats.retry import asking, patiently

T = TypeVar("T")

BUCKET = "requests"
KEPT_S = 24 * 60 * 60
"""Seconds after which a cell that is not written is forgotten."""
DEADLINE_S = 30.0


class Outdated(Exception):
    """Somebody has written the cell since: read it again."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as it was read."""

    value: bytes
    revision: int


class Cells(Protocol):
    """Cells of all processes. Names are of `A-Za-z0-9_-`. Every method raises Unavailable without NATS."""

    async def get(self, name: str) -> Cell | None:
        """The newest value, None when there is none."""
        ...

    async def put(self, name: str, value: bytes, *, after: int) -> int:
        """Write if the last revision is `after` (0: there must be no value); the new revision.

        When an answer gets lost and is asked for again, a write that has landed is Outdated.

        Raises:
            Outdated: it is not.
        """
        ...


class MemoryCells:
    """Cells of one process, for tests."""

    def __init__(self) -> None:
        self._cells: dict[str, Cell] = {}
        self._revisions = count(1)

    async def get(self, name: str) -> Cell | None:
        """See Cells.get."""
        return self._cells.get(name)

    async def put(self, name: str, value: bytes, *, after: int) -> int:
        """See Cells.put."""
        cell = self._cells.get(name)
        if (cell.revision if cell else 0) != after:
            raise Outdated(name)
        self._cells[name] = Cell(value, next(self._revisions))
        return self._cells[name].revision


class NatsCells:
    """Cells in a JetStream key-value bucket that `ensure_topology` has made."""

    def __init__(self, connection: Connection) -> None:
        # Reads go to the leader: a replica may not have what was written a moment ago.
        self._bucket = KeyValue(BUCKET, f"KV_{BUCKET}", f"$KV.{BUCKET}.", connection.js, direct=False)

    async def get(self, name: str) -> Cell | None:
        """See Cells.get."""
        try:
            entry = await _asked(partial(self._bucket.get, name))
        except KeyNotFoundError:
            return None
        return Cell(entry.value or b"", entry.revision or 0)

    async def put(self, name: str, value: bytes, *, after: int) -> int:
        """See Cells.put."""
        write = partial(self._bucket.update, last=after) if after else self._bucket.create
        try:
            return await _asked(partial(write, name, value))
        except APIError as error:
            if isinstance(error, KeyWrongLastSequenceError) or error.err_code in WRONG_LAST_SEQUENCE:
                raise Outdated(name) from error
            raise


async def _asked(ask: Callable[[], Awaitable[T]]) -> T:
    async def once() -> T:
        with asking():
            return await ask()

    return await patiently(once, deadline_s=DEADLINE_S)
