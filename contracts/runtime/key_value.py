"""A key-value store with compare-and-set. A value expires one day after it was last written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Protocol, TypeVar

from nats.js import kv
from nats.js.errors import APIError, KeyNotFoundError, KeyWrongLastSequenceError, NoStreamResponseError

from contracts.core.subjects import STREAM
from contracts.runtime.nats.connection import WRONG_LAST_SEQUENCE, Connection
from contracts.runtime.nats.retry import NoAnswer, allow_existing, asking, retry_until

T = TypeVar("T")

BUCKET = "requests"
KEPT_S = 24 * 60 * 60
"""Seconds after the last write until a value expires."""
DEADLINE_S = 30.0


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
    """A KeyValue in a JetStream key-value bucket. A deleted bucket is created again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Reads go to the leader: another replica may not have the newest value yet.
        self._bucket = kv.KeyValue(BUCKET, f"KV_{BUCKET}", f"$KV.{BUCKET}.", connection.js, direct=False)

    async def get(self, name: str) -> StoredValue | None:
        """See KeyValue.get."""
        try:
            entry = await _asked(partial(self._bucket.get, name))
        except KeyNotFoundError:
            return None
        return StoredValue(entry.value or b"", entry.revision or 0)

    async def put(self, name: str, value: bytes, *, after: int) -> int:
        """See KeyValue.put."""
        write = partial(self._bucket.update, last=after) if after else self._bucket.create
        try:
            return await retry_until(
                partial(self._written, partial(write, name, value)), deadline_s=DEADLINE_S
            )
        except APIError as error:
            if isinstance(error, KeyWrongLastSequenceError) or error.err_code in WRONG_LAST_SEQUENCE:
                raise Outdated(name) from error
            raise

    async def _written(self, write: Callable[[], Awaitable[int]]) -> int:
        try:
            with asking():
                return await write()
        except NoAnswer as error:
            if isinstance(error.__cause__, NoStreamResponseError):  # the bucket has been deleted
                log = await self._connection.api(f"STREAM.INFO.{STREAM}")
                await ensure_requests(self._connection, log["config"]["num_replicas"])
            raise


async def _asked(ask: Callable[[], Awaitable[T]]) -> T:
    async def once() -> T:
        with asking():
            return await ask()

    return await retry_until(once, deadline_s=DEADLINE_S)
