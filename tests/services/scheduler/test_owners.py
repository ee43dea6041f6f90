"""The log is asked about a DAG or goal only if the followers may have missed something of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from contracts.core.commit import Recorded
from contracts.core.subjects import state_filter
from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.schedule.schedule import Overlap, Schedule
from scheduler import scheduler as main_loop
from scheduler.active_schedules import ActiveSchedules
from scheduler.owners import Owners

if TYPE_CHECKING:
    from tests.services.scheduler.conftest import World

START = datetime(2026, 1, 1, tzinfo=UTC)
EVERY_MINUTE = Schedule(cron="* * * * *", overlap=Overlap.ALLOW)
OWNER = (DAG.name, "d")
SOME = [f"d{n}" for n in range(main_loop.MANY)]


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The DAGs that the log is asked about."""
    ids: list[str] = []
    read = world.log.read

    async def note(aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Recorded]:
        if aggregate == DAG.name:
            ids.append(aggregate_id)
        return await read(aggregate, aggregate_id, after=after)

    monkeypatch.setattr(world.log, "read", note)
    return ids


async def folded(world: World, schedules: ActiveSchedules, after: int) -> int:
    """Fold what is in the log above `after`. Returns the last sequence."""
    async for batch in world.log.tail(state_filter(DAG.name), after=after):
        schedules.fold(batch, START)
        return batch[-1].seq
    raise AssertionError


async def test_an_owner_is_read_again_only_if_there_may_be_something_new(
    world: World, asked: list[str]
) -> None:
    owners, schedules = Owners(world.log), ActiveSchedules()
    await world.scheduled()
    seq = await folded(world, schedules, 0)
    del asked[:]
    first = await owners.read(OWNER, schedules.version(OWNER))
    assert await owners.read(OWNER, schedules.version(OWNER)) is first
    assert asked == ["d"]

    await world.dag(dag.Updated(title="new"))
    seq = await folded(world, schedules, seq)
    del asked[:]
    assert (await owners.read(OWNER, schedules.version(OWNER))).dag.title == "new"
    assert asked == ["d"]

    await world.log.inject("evt.dag.other.planned", b"garbage")
    await folded(world, schedules, seq)
    for _ in range(2):
        await owners.read(OWNER, schedules.version(OWNER))
    assert asked == ["d", "d"]

    await owners.read(OWNER)
    assert asked == ["d", "d", "d"]


async def test_many_ticks_at_once_ask_about_no_dag_that_has_not_changed(
    world: World, asked: list[str]
) -> None:
    for id_ in SOME:
        await world.scheduled(EVERY_MINUTE, dag_id=id_)
    world.start()
    await world.minute(1)
    await world.ticked(len(SOME))
    await world.dag(dag.Updated(title="new"), dag_id=SOME[0])
    del asked[:]
    await world.minute(2)
    await world.ticked(2 * len(SOME))
    assert asked == [SOME[0]]
    titles = {one.dag_id: one.dag_title for one in await requests(world) if one.dag_title}
    assert titles == {SOME[0]: "new"}


async def test_followers_that_are_behind_are_not_relied_on(
    world: World, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for id_ in SOME:
        await world.scheduled(EVERY_MINUTE, dag_id=id_)
    scheduler = world.start()
    await world.minute(1)
    await world.ticked(len(SOME))
    monkeypatch.setattr(main_loop, "CATCH_UP_S", 0.001)
    world._processes[scheduler][0].cancel()
    await world.dag(dag.Updated(title="new"), dag_id=SOME[0])
    del asked[:]
    await world.minute(2)
    await world.ticked(2 * len(SOME))
    assert sorted(asked) == SOME
    assert "new" in {one.dag_title for one in await requests(world)}


async def requests(world: World) -> list[run.Requested]:
    events = [one.commit.events[0] for one in await world.runs()]
    return [one for one in events if isinstance(one, run.Requested)]
