"""What every blob store guarantees, held against the one in memory and the one on NATS."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import pytest

from contracts.core.event import BlobRef
from contracts.runtime.blobs import BlobLost, Blobs, MemoryBlobs, NatsBlobs
from contracts.runtime.log import OFFLOAD_BYTES
from contracts.runtime.nats.connection import Connection


class BlobsBehaviour:
    @pytest.mark.parametrize("size", [0, 1, 128 * 1024, 1_000_000])
    async def test_bytes_come_back_as_they_were(self, blobs: Blobs, size: int) -> None:
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        reference = await blobs.put(data, "application/pdf")
        assert reference == BlobRef(blob=sha256(data).hexdigest(), size=size, media_type="application/pdf")
        assert await blobs.get(reference) == data

    async def test_the_same_bytes_are_kept_once(self, blobs: Blobs) -> None:
        first, second = await blobs.put(b"same", "text/plain"), await blobs.put(b"same", "text/plain")
        assert first == second

    async def test_many_may_keep_the_same_bytes_at_once(self, blobs: Blobs) -> None:
        data = b"x" * 300_000
        references = await asyncio.gather(*(blobs.put(data, "text/plain") for _ in range(5)))
        assert [await blobs.get(reference) for reference in references] == [data] * 5

    async def test_what_was_never_kept_is_lost(self, blobs: Blobs) -> None:
        with pytest.raises(BlobLost, match="missing"):
            await blobs.get(BlobRef(blob="0" * 64, size=1))

    async def test_a_value_comes_back_from_json(self, blobs: Blobs) -> None:
        value = {"text": "ä\x00", "list": [1, 2.5, None, True]}
        assert await blobs.get_json(await blobs.put_json(value)) == value

    async def test_a_small_value_stays_where_it_is(self, blobs: Blobs) -> None:
        assert await blobs.store_if_large({"a": 1}) == {"a": 1}

    async def test_a_large_value_is_replaced_by_its_reference(self, blobs: Blobs) -> None:
        value = {"text": "x" * OFFLOAD_BYTES}
        reference = BlobRef.of(await blobs.store_if_large(value))
        assert reference is not None
        assert await blobs.get_json(reference) == value


class TestMemoryBlobs(BlobsBehaviour):
    @pytest.fixture
    def blobs(self) -> MemoryBlobs:
        return MemoryBlobs()

    async def test_damage_is_noticed(self, blobs: MemoryBlobs) -> None:
        reference = await blobs.put(b"whole", "text/plain")
        blobs.stored[reference.blob] = b"broken"
        with pytest.raises(BlobLost, match="damaged"):
            await blobs.get(reference)


@pytest.mark.nats
class TestNatsBlobs(BlobsBehaviour):
    @pytest.fixture
    def blobs(self, connection: Connection) -> NatsBlobs:
        return NatsBlobs(connection)

    async def test_the_same_bytes_take_space_once(self, blobs: NatsBlobs, connection: Connection) -> None:
        async def messages() -> Any:
            return (await connection.api("STREAM.INFO.OBJ_blobs"))["state"]["messages"]

        await blobs.put(b"same", "text/plain")
        before = await messages()
        await blobs.put(b"same", "text/plain")
        assert await messages() == before == 2
