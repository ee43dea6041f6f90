"""Large values are fetched once while there is room for them."""

from __future__ import annotations

from contracts.core.event import BlobRef
from contracts.runtime.blobs import MemoryBlobs
from executor.values import Values


class Counting(MemoryBlobs):
    fetched = 0

    async def _fetch(self, name: str) -> bytes | None:
        self.fetched += 1
        return await super()._fetch(name)


async def ref_to(blobs: MemoryBlobs, letter: str) -> BlobRef:
    ref = BlobRef.of(await blobs.store_if_large(letter * 100_000))
    assert ref is not None
    return ref


async def test_a_value_is_fetched_once() -> None:
    blobs = Counting()
    values, ref = Values(blobs), await ref_to(blobs, "a")
    assert await values.get(ref) == await values.get(ref) == "a" * 100_000
    assert blobs.fetched == 1


async def test_the_values_used_least_recently_make_room() -> None:
    blobs = Counting()
    values = Values(blobs, room=250_000)
    a, b, c = [await ref_to(blobs, letter) for letter in "abc"]
    for one in (a, b, a, c, a):
        await values.get(one)
    assert blobs.fetched == 3
    await values.get(b)
    assert blobs.fetched == 4
