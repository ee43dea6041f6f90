"""What a tick needs is read and computed ahead of it; what changes in between counts nevertheless."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from contracts.core.commit import Recorded
from contracts.core.event import Event
from contracts.domain import dag, run
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.domain.run_requests import RUN_PREFIX
from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Overlap, Schedule
from contracts.domain.schedule.ticks import Decision
from contracts.runtime.stream import Origin, Stream
from scheduler import owners
from scheduler.decide import AHEAD
from scheduler.request import executable
from scheduler.scheduler import Scheduler

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.services.scheduler.conftest import World

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SKIP = Schedule(cron="* * * * *", overlap=Overlap.SKIP)
FIRED, SKIPPED = Decision.FIRED, Decision.SKIPPED
DONE = run.Completed(completed_steps=1, duration_ms=1, for_goal=False)


async def change(world: World, run_id: str, *events: Event) -> None:
    await (await Stream.open(world.log, RUN, run_id, Origin("/executor/1"))).append(events)


async def is_prepared(
    world: World, eventually: Eventually, scheduler: Scheduler, minute: int, id_: str
) -> None:
    """The clock shows a time shortly before `minute`, and the scheduler is ready for the tick."""
    await eventually(lambda: scheduler._agenda.get(id_) == START + minute * MINUTE - AHEAD)
    await world.clock.set(START + minute * MINUTE - AHEAD)
    await eventually(lambda: scheduler._agenda.get(id_) == START + minute * MINUTE)


@pytest.fixture
async def fired(world: World, eventually: Eventually) -> str:
    """The DAG d fired at minute 1; the id of that run."""
    await world.scheduled(SKIP)
    await is_prepared(world, eventually, world.start(), 1, "d")
    await world.minute(1)
    (tick,) = await world.ticked(1)
    await world.runs()
    assert tick.run_id
    return tick.run_id


@pytest.fixture
def scheduler(world: World, fired: str) -> Scheduler:
    (it,) = world._processes
    return it


async def test_a_tick_reads_no_run_and_checks_no_plan_again(
    world: World, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    newest = world.log.newest

    async def note(aggregate: str, aggregate_id: str) -> Recorded | None:
        read.append(aggregate)
        return await newest(aggregate, aggregate_id)

    def check(plan: dag.State) -> Job:
        read.append("plan")
        return executable(plan)

    monkeypatch.setattr(owners, "executable", check)
    monkeypatch.setattr(world.log, "newest", note)
    await world.scheduled(SKIP)
    scheduler = world.start()
    await is_prepared(world, eventually, scheduler, 1, "d")
    assert read == ["schedule", "plan"]
    await world.minute(1)
    (tick,) = await world.ticked(1)
    assert tick.run_id
    await change(world, tick.run_id, DONE)
    await is_prepared(world, eventually, scheduler, 2, "d")
    del read[:]
    await world.minute(2)
    assert await world.decided(2) == [(1, FIRED), (2, FIRED)]
    assert read == []


async def test_a_run_that_ends_after_the_preparation_does_not_block_the_tick(
    world: World, eventually: Eventually, fired: str, scheduler: Scheduler
) -> None:
    await is_prepared(world, eventually, scheduler, 2, "d")
    await change(world, fired, DONE)
    await world.minute(2)
    assert await world.decided(2) == [(1, FIRED), (2, FIRED)]


async def test_a_run_of_a_goal_that_is_resumed_after_the_preparation_blocks_the_tick(
    world: World, eventually: Eventually
) -> None:
    """A completed run of a goal can go on if its calls failed."""
    await world.goal(SKIP)
    scheduler = world.start()
    await is_prepared(world, eventually, scheduler, 1, "sched_1")
    await world.minute(1)
    await world.ticked(1)
    await world.runs()
    run_id = ticks.run_id("sched_1", START + MINUTE, RUN_PREFIX)
    await change(world, run_id, run.Completed(completed_steps=1, duration_ms=1))
    await is_prepared(world, eventually, scheduler, 2, "sched_1")
    await change(world, run_id, run.Resumed())
    await world.minute(2)
    assert await world.decided(2) == [(1, FIRED), (2, SKIPPED)]


async def test_a_plan_that_changes_after_the_preparation_is_the_one_that_runs(
    world: World, eventually: Eventually, fired: str, scheduler: Scheduler
) -> None:
    await change(world, fired, DONE)
    await is_prepared(world, eventually, scheduler, 2, "d")
    await world.dag(dag.Updated(job=world.job | {"original_request": "do it better"}))
    await world.minute(2)
    assert await world.decided(2) == [(1, FIRED), (2, FIRED)]
    wanted = (await world.runs())[-1].commit.events[0]
    assert isinstance(wanted, run.Requested)
    assert wanted.original_request == "do it better"


async def test_a_log_that_is_away_at_the_preparation_makes_no_tick_late(
    world: World, eventually: Eventually
) -> None:
    await world.scheduled(SKIP)
    scheduler = world.start()
    await eventually(lambda: scheduler._agenda.get("d") == START + MINUTE - AHEAD)
    world.log.away = True
    await world.clock.set(START + MINUTE - AHEAD)
    await eventually(lambda: scheduler._agenda.get("d") == START + MINUTE)
    assert await scheduler.problem() is None
    world.log.away = False
    await world.minute(1)
    assert await world.decided(1) == [(1, FIRED)]
