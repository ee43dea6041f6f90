"""What becomes of ticks when schedulers, the log, the clock or a schedule fail."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from contracts.domain import dag, goal
from contracts.domain.goal import GOAL
from contracts.domain.keys import Keys
from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Overlap, Schedule
from contracts.domain.schedule.ticks import SCHEDULE, Amended, Decision, Rewound, Ticked
from contracts.runtime.stream import Origin, Stream
from scheduler.active_schedules import entry_of
from scheduler.decide import BEHIND, Decider, NextCheck

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.services.scheduler.conftest import World

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
YEARLY = Schedule(cron="@yearly")
EVERY_MINUTE = Schedule(cron="* * * * *", overlap=Overlap.ALLOW)
FIRED, MISSED, SKIPPED = Decision.FIRED, Decision.MISSED, Decision.SKIPPED


async def test_after_an_outage_the_latest_missed_tick_fires(world: World) -> None:
    await world.scheduled()
    first = world.start()
    await world.minute(1)
    await world.ticked(1)
    await world.kill(first)
    await world.minute(4)
    world.start()
    assert await world.decided(4) == [(1, FIRED), (2, MISSED), (3, MISSED), (4, FIRED)]
    assert len(await world.runs()) == 2


async def test_after_a_long_outage_every_tick_is_missed(world: World) -> None:
    await world.scheduled(Schedule(cron="@hourly"))
    await world.minute(3 * 60 + 50)
    world.start(catch_up=timedelta(minutes=49))
    assert await world.decided(3) == [(60, MISSED), (120, MISSED), (180, MISSED)]
    await world.minute(240)
    assert (await world.decided(4))[3:] == [(240, FIRED)]
    assert len(await world.runs()) == 1


async def test_ticks_of_one_outage_are_one_commit(world: World) -> None:
    await world.scheduled(Schedule(cron="* * * * * *"))
    await world.minute(60 * 24)
    world.start()
    ticks = await world.ticked(102)
    assert [one.decision for one in ticks] == [MISSED] * 101 + [FIRED]
    assert [len(one.commit.events) for one in await world.log.read("schedule", "d")] == [101, 1]


async def test_a_clock_set_forward_is_noticed_within_half_a_minute(
    world: World, eventually: Eventually
) -> None:
    await world.scheduled(Schedule(cron="@yearly"))
    world.start()
    await world.log.answered.wait()
    await eventually(lambda: world.clock.waits_until == START + MINUTE / 2)


async def test_a_clock_set_back_repeats_nothing(world: World) -> None:
    await world.scheduled()
    world.start()
    await world.minute(2)
    await world.ticked(2)
    await world.minute(1)
    await world.minute(3)
    assert await world.decided(3) == [(1, MISSED), (2, FIRED), (3, FIRED)]


async def rewound(world: World, schedule_id: str = "d") -> bool:
    return any(isinstance(event, Rewound) for event in await world.history(schedule_id))


async def test_ticks_decided_by_a_clock_that_was_ahead_are_decided_again_and_run_once(
    world: World, eventually: Eventually
) -> None:
    await world.scheduled()
    world.start()
    await world.minute(1)
    await world.ticked(1)
    await world.minute(60)
    await world.ticked(60)
    early = await world.runs()
    await world.minute(1)
    await world.scheduled(YEARLY, dag_id="other")  # which wakes the scheduler, as 30 s would
    await eventually(lambda: rewound(world))
    await world.minute(2)
    again = (await world.decided(61))[60:]
    assert again == [(2, FIRED)]
    await world.minute(3)
    assert (await world.decided(62))[61:] == [(3, FIRED)]
    assert len(await world.runs()) == len(early) + 2
    for minute in range(4, 61):
        await world.minute(minute)
        await world.ticked(59 + minute)
    last = (await world.ticked(119))[-1]
    assert (last.tick, last.decision) == (START + 60 * MINUTE, FIRED)
    assert "ahead" in (last.reason or "")
    assert len(await world.runs()) == 60


async def fired(world: World, minute: int, schedule_id: str) -> bool:
    tick = START + minute * MINUTE
    decided = await world.history(schedule_id)
    return any(isinstance(one, Ticked) and (one.tick, one.decision) == (tick, FIRED) for one in decided)


@pytest.mark.parametrize("owner", ["dag", "goal"])
async def test_ticks_decided_a_year_ahead_silence_no_schedule_after_a_restart_and_an_edit(
    world: World, eventually: Eventually, owner: str
) -> None:
    every_two = EVERY_MINUTE.model_copy(update={"cron": "*/2 * * * *"})
    year = 365 * 24 * 60
    id_ = "d" if owner == "dag" else "sched_1"
    await (world.scheduled() if owner == "dag" else world.goal(EVERY_MINUTE))
    ahead = world.start()
    await world.minute(year)
    await eventually(lambda: fired(world, year, id_))
    await world.kill(ahead)
    await world.minute(0)
    if owner == "dag":
        await world.dag(dag.ScheduleSet(schedule=every_two))
    else:
        await world.write(GOAL, "goal_1", goal.ScheduleChanged(schedule_id=id_, schedule=every_two))
    world.start()
    await eventually(lambda: rewound(world, id_))
    for minute in (2, 4):
        await world.minute(minute)
        await eventually(lambda minute=minute: fired(world, minute, id_))  # type: ignore[misc]
    assert not await fired(world, 3, id_)


async def test_a_schedule_made_by_a_clock_that_was_ahead_fires_now(world: World) -> None:
    await world.clock.set(START + timedelta(days=365))
    await world.scheduled()
    await world.clock.set(START)
    world.start()
    await world.log.answered.wait()
    await world.minute(1)
    assert await world.decided(1) == [(1, FIRED)]


async def test_a_clock_set_back_lets_no_retry_wait_for_tomorrow(world: World, eventually: Eventually) -> None:
    await world.clock.set(START + timedelta(days=1))
    await world.scheduled()
    world.start()
    await world.log.answered.wait()
    world.log.away = True
    await world.clock.set(START + timedelta(days=1) + MINUTE)
    await world.log.refused.wait()
    world.log.away = False
    await world.clock.set(START)
    await world.scheduled(YEARLY, dag_id="other")  # which wakes the scheduler, as 30 s would
    await eventually(lambda: world.clock.waits_until == START + MINUTE / 2)


@pytest.mark.parametrize(("minutes", "made_up"), [(1, True), (3, False)])
async def test_the_run_of_a_decided_tick_is_requested_by_the_next_scheduler(
    world: World, minutes: int, made_up: bool
) -> None:
    """A scheduler died after recording the tick: its run is asked for, unless it has become too late."""
    await world.scheduled()
    run_id = ticks.run_id("d", START + MINUTE)
    dead = Stream(world.log, SCHEDULE, "d", Origin("/scheduler/dead"))
    await dead.append([Ticked(tick=START + MINUTE, decision=FIRED, dag_id="d", run_id=run_id)])
    await world.minute(minutes)
    world.start(catch_up=timedelta())
    await world.minute(minutes + 1)
    await world.ticked(2)
    requested = [one.commit.aggregate_id for one in await world.runs()]
    assert (run_id in requested) == made_up
    amended = [event for event in await world.history() if isinstance(event, Amended)]
    assert [(one.tick, one.decision) for one in amended] == ([] if made_up else [(START + MINUTE, MISSED)])


async def test_a_lost_ack_fires_nothing_twice(world: World) -> None:
    await world.scheduled()
    world.start()
    for seconds in (60, 90):  # the ack of the tick is lost, then that of its run
        world.log.lose_acks()
        world.log.refused.clear()
        await world.clock.set(START + timedelta(seconds=seconds))
        await world.log.refused.wait()
    await world.minute(2)
    assert await world.decided(2) == [(1, FIRED), (2, FIRED)]
    assert len(await world.runs()) == 2


async def test_a_log_that_is_away_delays_and_loses_nothing(world: World) -> None:
    await world.scheduled()
    scheduler = world.start()
    await world.minute(1)
    await world.ticked(1)
    world.log.away = True
    world.log.refused.clear()
    await world.minute(2)
    await world.log.refused.wait()
    assert "1 schedules cannot be decided; the last error: away" in (await scheduler.problem() or "")
    world.log.away = False
    await world.clock.set(START + 2.5 * MINUTE)
    assert await world.decided(2) == [(1, FIRED), (2, FIRED)]
    assert await scheduler.problem() is None


async def test_a_scheduler_that_starts_before_the_log_answers_waits_for_it(world: World) -> None:
    await world.scheduled()
    world.log.away = True
    scheduler = world.start()
    await world.log.refused.wait()
    assert "still being read" in (await scheduler.problem() or "")
    world.log.away = False
    await world.minute(1)
    assert await world.decided(1) == [(1, FIRED)]
    assert await scheduler.problem() is None


async def test_one_broken_schedule_does_not_hold_up_the_others(world: World) -> None:
    await world.scheduled(Schedule(cron="every day"), dag_id="broken")
    await world.scheduled(Schedule(cron="* * * * *", timezone="Mars/Olympus"), dag_id="lost")
    await world.scheduled()
    scheduler = world.start()
    await world.minute(1)
    assert await world.decided(1) == [(1, FIRED)]
    assert await scheduler.problem() is None


async def test_a_change_during_a_slow_check_is_not_forgotten_when_the_check_ends(world: World) -> None:
    await world.scheduled(Schedule(cron="@daily"))
    world.log.late = end = asyncio.Event()
    world.start()
    await world.log.asked.wait()
    await world.dag(dag.ScheduleSet(schedule=EVERY_MINUTE))
    await world.log.answered.wait()
    end.set()
    await world.minute(1)
    assert await world.decided(1) == [(1, FIRED)]


async def test_a_scheduler_that_is_behind_the_log_fires_nothing(world: World) -> None:
    """The pause has been recorded; the scheduler will hear of it in a moment."""
    await world.scheduled()
    entry = entry_of(await world.log.read("dag", "d"), "d", world.clock.now())
    assert entry is not None
    await world.dag(dag.Updated(label="paused"))
    await world.minute(1)
    decider = Decider(world.log, "/scheduler/test", world.clock, Keys(), catch_up=timedelta())
    assert await decider.check(entry) == NextCheck(world.clock.now() + BEHIND)
    assert await world.runs() == []
    assert await world.log.read("schedule", "d") == []
