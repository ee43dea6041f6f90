"""Large values, kept under the sha256 of their bytes: written once, never changed, checked when read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from hashlib import sha256

import orjson
from nats.js.errors import ObjectNotFoundError
from nats.js.object_store import ObjectStore

from contracts.core.event import BlobRef, Json
from contracts.runtime.log import OFFLOAD_BYTES
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.direct import stored
from contracts.runtime.nats.retry import NoAnswer, asking, retry_until

BUCKET = "blobs"
_STREAM = f"OBJ_{BUCKET}"


class BlobLost(Exception):
    """The object store does not hold what an event refers to; restore the bucket `blobs` from a backup."""


class Blobs(ABC):
    """Bytes by their hash. Stores add where the bytes are."""

    async def put(self, data: bytes, media_type: str) -> BlobRef:
        """Keep `data`; the same bytes again cost nothing.

        Raises:
            Unavailable: the store could not be reached.
        """
        name = sha256(data).hexdigest()
        await self._store(name, data)
        return BlobRef(blob=name, size=len(data), media_type=media_type)

    async def get(self, ref: BlobRef) -> bytes:
        """The bytes `ref` stands for.

        Raises:
            BlobLost: they are gone, or are not what was stored.
            Unavailable: the store could not be reached.
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
        self.stored.setdefault(name, data)

    async def _fetch(self, name: str) -> bytes | None:
        return self.stored.get(name)


class NatsBlobs(Blobs):
    """Blobs in a JetStream object store that `ensure_topology` has made."""

    def __init__(self, connection: Connection, *, deadline_s: float = 30.0) -> None:
        self._connection = connection
        self._objects = ObjectStore(BUCKET, _STREAM, connection.js)
        self._deadline_s = deadline_s

    async def _store(self, name: str, data: bytes) -> None:
        await retry_until(partial(self._put_new, name, data), deadline_s=self._deadline_s)

    async def _fetch(self, name: str) -> bytes | None:
        return await retry_until(partial(self._get, name), deadline_s=self._deadline_s)

    async def _put_new(self, name: str, data: bytes) -> None:
        with asking():
            try:
                await self._objects.get_info(name)
            except ObjectNotFoundError:
                await self._objects.put(name, data)

    async def _get(self, name: str) -> bytes | None:
        with asking():
            try:
                info = await self._objects.get_info(name)
            except ObjectNotFoundError:
                return None
        # The object's own get() makes a consumer for each read, and leaks it when cancelled.
        chunks = await stored(self._connection, _STREAM, f"$O.{BUCKET}.C.{info.nuid}")
        data = b"".join(chunk.payload for chunk in chunks)
        if len(data) < (info.size or 0):
            raise NoAnswer("the replica that answered lags behind")
        return data
