"""A key-value store with compare-and-set. A value expires one day after it was last written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Protocol, TypeVar

from contracts.core.subjects import STREAM
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.existence import info_of
from contracts.runtime.nats.leader import last_of
from contracts.runtime.nats.publish import EXPECTED_LAST, WrongLastSequence, publish
from contracts.runtime.nats.retry import NoResponder, allow_existing, asking, retry_until
from contracts.runtime.nats.storage import Storage

T = TypeVar("T")

BUCKET = "requests"
KEPT_S = 24 * 60 * 60
"""Seconds after the last write until a value expires."""
ATTEMPT_S = 2.0
"""Seconds after which a write without an acknowledgement is sent again."""
DEADLINE_S = 30.0
_STREAM = f"KV_{BUCKET}"


class Outdated(Exception):
    """The value has a newer revision: read it again."""


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A value and its revision."""

    value: bytes
    revision: int


class KeyValue(Protocol):
    """Values shared by all processes. Names consist of `A-Za-z0-9_-`.

    Every method raises Unavailable if NATS cannot be reached.
    """

    async def get(self, name: str) -> StoredValue | None:
        """The newest value; None if there is none."""
        ...

    async def put(self, name: str, value: bytes, *, after: int) -> int:
        """Write if the current revision is `after` (0: the value must not exist). Returns the new revision.

        If the answer to a successful write is lost, the retry raises Outdated.

        Raises:
            Outdated: the current revision is not `after`.
        """
        ...


class MemoryKeyValue:
    """A KeyValue in memory, for tests."""

    def __init__(self) -> None:
        self._values: dict[str, StoredValue] = {}
        self._revisions = count(1)

    async def get(self, name: str) -> StoredValue | None:
        """See KeyValue.get."""
        return self._values.get(name)

    async def put(self, name: str, value: bytes, *, after: int) -> int:
        """See KeyValue.put."""
        stored = self._values.get(name)
        if (stored.revision if stored else 0) != after:
            raise Outdated(name)
        self._values[name] = StoredValue(value, next(self._revisions))
        return self._values[name].revision


async def ensure_requests(connection: Connection, replicas: int) -> None:
    """Create the bucket if it does not exist.

    Raises:
        NoAnswer: NATS did not answer.
    """
    with asking(), allow_existing():
        await connection.js.create_key_value(bucket=BUCKET, ttl=KEPT_S, replicas=replicas)


class NatsKeyValue:
    """A KeyValue in a JetStream key-value bucket (ADR-8). A deleted bucket is created again."""

    def __init__(self, connection: Connection, *, replicated: bool = False) -> None:
        self._connection = connection
        self._storage = Storage(connection, partial(publish, connection), replicated=replicated)

    async def get(self, name: str) -> StoredValue | None:
        """See KeyValue.get."""
        # The leader is asked: another replica may not have the newest value yet.
        found = await self._answer(partial(last_of, self._connection, _STREAM, _subject(name)))
        return StoredValue(found.payload, found.seq) if found else None

    async def put(self, name: str, value: bytes, *, after: int) -> int:
        """See KeyValue.put."""
        expecting = {EXPECTED_LAST: str(after)}
        store = self._storage.store_or_confirm_failure
        write = partial(store, _subject(name), value, expecting, timeout_s=ATTEMPT_S)
        try:
            return await self._answer(write)
        except WrongLastSequence as error:
            raise Outdated(name) from error

    async def _answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        async def once() -> T:
            try:
                return await ask()
            except NoResponder:  # the bucket may have been deleted
                log = await info_of(self._connection, STREAM)
                await ensure_requests(self._connection, log["config"]["num_replicas"])
                raise

        return await retry_until(once, deadline_s=DEADLINE_S)


def _subject(name: str) -> str:
    return f"$KV.{BUCKET}.{name}"
