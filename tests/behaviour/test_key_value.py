"""What cells guarantee, held against those in memory and those on NATS."""

from __future__ import annotations

import asyncio

import pytest

from contracts.runtime.key_value import KEPT_S, Cell, Cells, MemoryCells, NatsCells, Outdated
from contracts.runtime.nats.connection import Connection


class CellsBehaviour:
    async def test_there_is_nothing_before_something_is_written(self, cells: Cells) -> None:
        assert await cells.get("a") is None

    async def test_what_is_written_is_read(self, cells: Cells) -> None:
        revision = await cells.put("a", b"one", after=0)
        assert await cells.get("a") == Cell(b"one", revision)

    async def test_it_is_changed_by_who_knows_its_revision(self, cells: Cells) -> None:
        first = await cells.put("a", b"one", after=0)
        second = await cells.put("a", b"two", after=first)
        assert second > first
        assert await cells.get("a") == Cell(b"two", second)

    async def test_an_outdated_revision_changes_nothing(self, cells: Cells) -> None:
        first = await cells.put("a", b"one", after=0)
        second = await cells.put("a", b"two", after=first)
        for stale in (0, first):
            with pytest.raises(Outdated):
                await cells.put("a", b"three", after=stale)
        assert await cells.get("a") == Cell(b"two", second)

    async def test_what_is_not_there_has_no_revision(self, cells: Cells) -> None:
        with pytest.raises(Outdated):
            await cells.put("a", b"one", after=7)

    async def test_of_many_who_write_at_once_one_succeeds(self, cells: Cells) -> None:
        values = [str(n).encode() for n in range(8)]
        came = await asyncio.gather(
            *(cells.put("a", value, after=0) for value in values), return_exceptions=True
        )
        (winner,) = [n for n, one in enumerate(came) if isinstance(one, int)]
        assert all(isinstance(one, Outdated) for one in came if not isinstance(one, int))
        assert (await cells.get("a")) == Cell(values[winner], came[winner])  # type: ignore[arg-type]

    async def test_names_have_nothing_to_do_with_each_other(self, cells: Cells) -> None:
        await cells.put("a", b"one", after=0)
        await cells.put("b", b"two", after=0)
        found = [await cells.get(name) for name in ("a", "b")]
        assert [cell and cell.value for cell in found] == [b"one", b"two"]


class TestMemoryCells(CellsBehaviour):
    @pytest.fixture
    def cells(self) -> MemoryCells:
        return MemoryCells()


@pytest.mark.nats
class TestNatsCells(CellsBehaviour):
    @pytest.fixture
    def cells(self, connection: Connection) -> NatsCells:
        return NatsCells(connection)

    async def test_they_are_forgotten_after_a_day(self, connection: Connection) -> None:
        config = (await connection.api("STREAM.INFO.KV_requests"))["config"]
        assert config["max_age"] == KEPT_S * 1_000_000_000
