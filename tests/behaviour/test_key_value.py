"""What key_values guarantee, held against those in memory and those on NATS."""

from __future__ import annotations

import asyncio

import pytest

from contracts.runtime.key_value import KEPT_S, KeyValue, MemoryKeyValue, NatsKeyValue, Outdated, StoredValue
from contracts.runtime.nats.connection import Connection


class CellsBehaviour:
    async def test_there_is_nothing_before_something_is_written(self, key_values: KeyValue) -> None:
        assert await key_values.get("a") is None

    async def test_a_written_value_is_read_back(self, key_values: KeyValue) -> None:
        revision = await key_values.put("a", b"one", after=0)
        assert await key_values.get("a") == StoredValue(b"one", revision)

    async def test_a_value_is_changed_with_its_current_revision(self, key_values: KeyValue) -> None:
        first = await key_values.put("a", b"one", after=0)
        second = await key_values.put("a", b"two", after=first)
        assert second > first
        assert await key_values.get("a") == StoredValue(b"two", second)

    async def test_an_outdated_revision_changes_nothing(self, key_values: KeyValue) -> None:
        first = await key_values.put("a", b"one", after=0)
        second = await key_values.put("a", b"two", after=first)
        for stale in (0, first):
            with pytest.raises(Outdated):
                await key_values.put("a", b"three", after=stale)
        assert await key_values.get("a") == StoredValue(b"two", second)

    async def test_a_missing_value_has_no_revision(self, key_values: KeyValue) -> None:
        with pytest.raises(Outdated):
            await key_values.put("a", b"one", after=7)

    async def test_one_of_many_concurrent_writers_succeeds(self, key_values: KeyValue) -> None:
        values = [str(n).encode() for n in range(8)]
        came = await asyncio.gather(
            *(key_values.put("a", value, after=0) for value in values), return_exceptions=True
        )
        (winner,) = [n for n, one in enumerate(came) if isinstance(one, int)]
        assert all(isinstance(one, Outdated) for one in came if not isinstance(one, int))
        assert (await key_values.get("a")) == StoredValue(values[winner], came[winner])  # type: ignore[arg-type]

    async def test_values_of_different_names_are_independent(self, key_values: KeyValue) -> None:
        await key_values.put("a", b"one", after=0)
        await key_values.put("b", b"two", after=0)
        found = [await key_values.get(name) for name in ("a", "b")]
        assert [stored and stored.value for stored in found] == [b"one", b"two"]


class TestMemoryCells(CellsBehaviour):
    @pytest.fixture
    def key_values(self) -> MemoryKeyValue:
        return MemoryKeyValue()


@pytest.mark.nats
class TestNatsCells(CellsBehaviour):
    @pytest.fixture
    def key_values(self, connection: Connection) -> NatsKeyValue:
        return NatsKeyValue(connection)

    async def test_a_bucket_that_was_deleted_is_made_again(
        self, key_values: NatsKeyValue, connection: Connection
    ) -> None:
        revision = await key_values.put("a", b"one", after=0)
        await connection.api("STREAM.DELETE.KV_requests")
        assert await key_values.get("a") is None
        with pytest.raises(Outdated):
            await key_values.put("a", b"two", after=revision)
        again = await key_values.put("a", b"two", after=0)
        assert await key_values.get("a") == StoredValue(b"two", again)

    async def test_entries_expire_after_a_day(self, connection: Connection) -> None:
        config = (await connection.api("STREAM.INFO.KV_requests"))["config"]
        assert config["max_age"] == KEPT_S * 1_000_000_000
