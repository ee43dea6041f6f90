"""Large values, kept under the sha256 of their bytes: written once, never changed, checked when read.

`nats_blobs.NatsBlobs` is the real store, `MemoryBlobs` its equal for tests; both pass one behaviour suite.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from hashlib import sha256

import orjson

from contracts.core.event import BlobRef, Json
from contracts.runtime.log import OFFLOAD_BYTES


class BlobLost(Exception):
    """The object store lacks bytes that an event refers to: restore the bucket `blobs` from a backup."""


class Blobs(ABC):
    """Bytes by their hash. Stores add where the bytes are."""

    async def put(self, data: bytes, media_type: str) -> BlobRef:
        """Keep `data`. When it returns, the store has all of the bytes.

        Storing the same bytes again writes nothing, unless some have been lost: then it restores them.

        Raises:
            Unavailable: not stored before the deadline; it may be tried again.
        """
        name = sha256(data).hexdigest()
        await self._store(name, data)
        return BlobRef(blob=name, size=len(data), media_type=media_type)

    async def get(self, ref: BlobRef) -> bytes:
        """The bytes that `ref` stands for.

        Raises:
            BlobLost: the store answers, and has lost some or all of them. Asking again does not help.
            Unavailable: the store could not be reached. Asking again may help.
        """
        data = await self._fetch(ref.blob)
        if data is None or sha256(data).hexdigest() != ref.blob:
            raise BlobLost(f"blob {ref.blob} is {'missing' if data is None else 'damaged'}")
        return data

    async def put_json(self, value: Json) -> BlobRef:
        """Keep `value` as JSON."""
        return await self.put(orjson.dumps(value), "application/json")

    async def get_json(self, ref: BlobRef) -> Json:
        """The value that `put_json` was given."""
        return orjson.loads(await self.get(ref))

    async def store_if_large(self, value: Json) -> Json:
        """`value` itself, or the reference that stands for it when its JSON is over OFFLOAD_BYTES."""
        data = orjson.dumps(value)
        if len(data) <= OFFLOAD_BYTES:
            return value
        return (await self.put(data, "application/json")).as_json()

    @abstractmethod
    async def _store(self, name: str, data: bytes) -> None: ...

    @abstractmethod
    async def _fetch(self, name: str) -> bytes | None: ...


class MemoryBlobs(Blobs):
    """Blobs of one process, for tests."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    async def _store(self, name: str, data: bytes) -> None:
        self.stored[name] = data

    async def _fetch(self, name: str) -> bytes | None:
        return self.stored.get(name)
