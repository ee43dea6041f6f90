"""The object store for large values. The key is the SHA-256 of the bytes; values are immutable.

`nats_blobs.NatsBlobs` is the real store, `MemoryBlobs` one for tests. Both pass the same behaviour suite.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from hashlib import sha256

import orjson

from contracts.core.event import BlobRef, Json
from contracts.runtime.log import OFFLOAD_BYTES
from contracts.settings.redactor import SECRETS


class BlobLost(Exception):
    """The object store has lost a value that an event refers to. Restore the bucket `blobs` from a backup."""


class Blobs(ABC):
    """Base class of object stores. Subclasses implement `_store` and `_fetch`."""

    async def put(self, data: bytes, media_type: str) -> BlobRef:
        """Store `data` durably.

        If the same bytes are stored already, nothing is written. Lost parts of them are restored.

        Raises:
            Unavailable: not stored before the deadline. A retry is safe.
        """
        name = sha256(data).hexdigest()
        await self._store(name, data)
        return BlobRef(blob=name, size=len(data), media_type=media_type)

    async def get(self, ref: BlobRef) -> bytes:
        """Read the bytes of `ref` and check their hash.

        Raises:
            BlobLost: the store has lost some or all of the bytes. A retry does not help.
            Unavailable: the store could not be reached. A retry may help.
        """
        data = await self._fetch(ref.blob)
        if data is None or sha256(data).hexdigest() != ref.blob:
            raise BlobLost(f"blob {ref.blob} is {'missing' if data is None else 'damaged'}")
        return data

    async def put_json(self, value: Json) -> BlobRef:
        """Store `value` as JSON, with secrets redacted; see `put`."""
        return await self.put(SECRETS.json(orjson.dumps(value)), "application/json")

    async def get_json(self, ref: BlobRef) -> Json:
        """Read a value that `put_json` stored; see `get`."""
        return orjson.loads(await self.get(ref))

    async def store_if_large(self, value: Json) -> Json:
        """Return `value`. If its JSON is larger than OFFLOAD_BYTES, store it and return its reference."""
        data = orjson.dumps(value)
        if len(data) <= OFFLOAD_BYTES:
            return value
        return (await self.put(SECRETS.json(data), "application/json")).as_json()

    @abstractmethod
    async def _store(self, name: str, data: bytes) -> None: ...

    @abstractmethod
    async def _fetch(self, name: str) -> bytes | None: ...


class MemoryBlobs(Blobs):
    """An object store in memory, for tests."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    async def _store(self, name: str, data: bytes) -> None:
        self.stored[name] = data

    async def _fetch(self, name: str) -> bytes | None:
        return self.stored.get(name)
