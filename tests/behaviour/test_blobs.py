"""What every blob store guarantees, held against the one in memory and the one on NATS."""

from __future__ import annotations

import asyncio
import random
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

import pytest

from contracts.core.event import BlobRef
from contracts.runtime import nats_blobs
from contracts.runtime.blobs import BlobLost, Blobs, MemoryBlobs
from contracts.runtime.log import OFFLOAD_BYTES
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.direct import Stored, stored
from contracts.runtime.nats_blobs import BUCKET, CHUNK_BYTES, NatsBlobs

STREAM = f"OBJ_{BUCKET}"
THREE_CHUNKS = random.Random(1).randbytes(2 * CHUNK_BYTES + 1)

Damage = Callable[[str, int], Awaitable[None]]
"""Loses one part of the blob of a name."""


async def put_by_nats_py(connection: Connection, data: bytes) -> BlobRef:
    """`data` as an object that the client library wrote."""
    name = sha256(data).hexdigest()
    await (await connection.js.object_store(BUCKET)).put(name, data)
    return BlobRef(blob=name, size=len(data), media_type="text/plain")


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

    async def test_a_blob_that_was_never_stored_is_lost(self, blobs: Blobs) -> None:
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

    @pytest.mark.parametrize("part", [0, 1, 2])
    async def test_a_blob_that_lost_a_part_is_damaged_until_the_same_bytes_are_stored_again(
        self, blobs: Blobs, damage: Damage, part: int
    ) -> None:
        reference = await blobs.put(THREE_CHUNKS, "text/plain")
        await damage(reference.blob, part)
        with pytest.raises(BlobLost, match="damaged"):
            await blobs.get(reference)
        assert await blobs.put(THREE_CHUNKS, "text/plain") == reference
        assert await blobs.get(reference) == THREE_CHUNKS

    async def test_a_blob_is_healed_as_often_as_it_is_damaged(self, blobs: Blobs, damage: Damage) -> None:
        for _ in range(3):
            reference = await blobs.put(THREE_CHUNKS, "text/plain")
            assert await blobs.get(reference) == THREE_CHUNKS
            await damage(reference.blob, 0)

    async def test_many_may_heal_the_same_blob_at_once(self, blobs: Blobs, damage: Damage) -> None:
        reference = await blobs.put(THREE_CHUNKS, "text/plain")
        await damage(reference.blob, 1)
        await asyncio.gather(*(blobs.put(THREE_CHUNKS, "text/plain") for _ in range(5)))
        assert await blobs.get(reference) == THREE_CHUNKS


class TestMemoryBlobs(BlobsBehaviour):
    @pytest.fixture
    def blobs(self) -> MemoryBlobs:
        return MemoryBlobs()

    @pytest.fixture
    def damage(self, blobs: MemoryBlobs) -> Damage:
        async def damage(name: str, part: int) -> None:
            data = blobs.stored[name]
            blobs.stored[name] = data[: part * CHUNK_BYTES] + data[(part + 1) * CHUNK_BYTES :]

        return damage


@pytest.mark.nats
class TestNatsBlobs(BlobsBehaviour):
    @pytest.fixture
    def blobs(self, connection: Connection) -> NatsBlobs:
        return NatsBlobs(connection)

    @pytest.fixture
    def damage(self, connection: Connection) -> Damage:
        async def damage(name: str, part: int) -> None:
            info = await connection.js.object_store(BUCKET)
            chunks = await stored(connection, STREAM, f"$O.blobs.C.{(await info.get_info(name)).nuid}")
            await connection.api(f"STREAM.MSG.DELETE.{STREAM}", {"seq": chunks[part].seq})

        return damage

    @pytest.mark.parametrize("size", [0, 1, len(THREE_CHUNKS)])
    async def test_any_reader_of_object_stores_reads_a_blob(
        self, blobs: NatsBlobs, connection: Connection, size: int
    ) -> None:
        """As `nats object get blobs <sha256>` does: it follows the meta message and checks the digest."""
        data = THREE_CHUNKS[:size]
        reference = await blobs.put(data, "text/plain")
        found = await (await connection.js.object_store(BUCKET)).get(reference.blob)
        assert (found.data, found.info.size, found.info.name) == (data, size, reference.blob)

    async def test_blobs_that_another_writer_of_object_stores_wrote_are_read(
        self, blobs: NatsBlobs, connection: Connection
    ) -> None:
        reference = await put_by_nats_py(connection, THREE_CHUNKS)
        assert await blobs.get(reference) == THREE_CHUNKS

    async def test_a_name_without_its_content_is_damaged_and_healed(
        self, blobs: NatsBlobs, connection: Connection
    ) -> None:
        """The other writer purges the chunks when the acknowledgement of the meta message comes late."""
        reference = await put_by_nats_py(connection, THREE_CHUNKS)
        info = await (await connection.js.object_store(BUCKET)).get_info(reference.blob)
        await connection.api(f"STREAM.PURGE.{STREAM}", {"filter": f"$O.blobs.C.{info.nuid}"})
        with pytest.raises(BlobLost, match="damaged"):
            await blobs.get(reference)
        await blobs.put(THREE_CHUNKS, "text/plain")
        assert await blobs.get(reference) == THREE_CHUNKS

    @pytest.mark.parametrize("meta", [b"", b"no JSON", b"[]", b'{"nuid": 7}', b'{"deleted": true}'])
    async def test_a_meta_message_that_names_no_chunks_is_replaced(
        self, blobs: NatsBlobs, connection: Connection, meta: bytes
    ) -> None:
        reference = await blobs.put(THREE_CHUNKS, "text/plain")
        name = urlsafe_b64encode(reference.blob.encode()).decode()
        await connection.request(f"$O.blobs.M.{name}", meta, {"Nats-Rollup": "sub"})
        with pytest.raises(BlobLost, match="missing"):
            await blobs.get(reference)
        await blobs.put(THREE_CHUNKS, "text/plain")
        assert await blobs.get(reference) == THREE_CHUNKS

    async def test_a_value_that_a_replica_lacks_is_read_from_the_leader(
        self, blobs: NatsBlobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A replica that lags behind, or has lost a message, answers a read as any other does."""
        reference = await blobs.put(THREE_CHUNKS, "text/plain")

        async def behind(*args: Any, **options: Any) -> list[Stored]:
            return (await stored(*args, **options))[:-1]

        monkeypatch.setattr(nats_blobs, "stored", behind)
        assert await blobs.get(reference) == THREE_CHUNKS
        assert await blobs.put(THREE_CHUNKS, "text/plain") == reference

    async def test_the_same_bytes_take_space_once(self, blobs: NatsBlobs, connection: Connection) -> None:
        async def messages() -> Any:
            return (await connection.api("STREAM.INFO.OBJ_blobs"))["state"]["messages"]

        await blobs.put(b"same", "text/plain")
        before = await messages()
        await blobs.put(b"same", "text/plain")
        assert await messages() == before == 2
