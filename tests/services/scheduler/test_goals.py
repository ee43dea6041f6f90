"""What ticks of goals' schedules ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from contracts.core.event import Event
from contracts.domain import dag, goal, run
from contracts.domain.goal import GOAL
from contracts.domain.keys import Keys
from contracts.domain.run_requests import plan_id
from contracts.domain.schedule.schedule import Overlap, Schedule, jitter
from contracts.domain.schedule.ticks import Amended, Decision
from scheduler.active_schedules import entry_of
from scheduler.decide import Decider, NextCheck

if TYPE_CHECKING:
    from tests.services.scheduler.conftest import World


START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = Schedule(cron="* * * * *", timezone="Europe/Paris", overlap=Overlap.ALLOW)
FIRED, MISSED = Decision.FIRED, Decision.MISSED


async def test_a_tick_asks_for_a_run_of_the_goal_as_it_is(world: World) -> None:
    await world.goal(EVERY_MINUTE, step_budget=7)
    world.start()
    await world.write(GOAL, "goal_1", goal.Updated(objective="find that"))
    await world.minute(1)
    (tick,) = await world.ticked(1)
    assert (tick.decision, tick.goal_id, tick.dag_id) == (FIRED, "goal_1", None)
    (recorded,) = await world.runs()
    assert recorded.commit.aggregate_id == tick.run_id
    assert tick.run_id.startswith("run_")
    assert recorded.commit.events == (
        run.GoalRequested(
            goal_id="goal_1",
            objective="find that",
            step_budget=7,
            trigger="schedule",
            schedule_id="sched_1",
            timezone="Europe/Paris",
        ),
    )


async def test_a_goal_that_is_pursued_by_a_plan_has_one_made(world: World) -> None:
    await world.goal(EVERY_MINUTE, strategy="dag")
    world.start()
    await world.minute(1)
    (tick,) = await world.ticked(1)
    assert tick.run_id
    async for batch in world.log.tail("evt.dag.>"):
        (wanted,) = batch[0].commit.events
        assert batch[0].commit.aggregate_id == plan_id(tick.run_id)
        assert isinstance(wanted, dag.Requested)
        assert (wanted.run_id, wanted.goal_id, wanted.goal_text) == (tick.run_id, "goal_1", "find it")
        break


async def test_every_schedule_of_a_goal_fires(world: World) -> None:
    await world.goal(EVERY_MINUTE)
    await world.write(GOAL, "goal_1", goal.ScheduleAdded(schedule_id="sched_2", schedule=EVERY_MINUTE))
    world.start()
    await world.minute(1)
    assert len({one.run_id for one in await world.ticked(2)}) == 2


@pytest.mark.parametrize(
    ("stop", "go"),
    [
        (goal.Paused(), goal.Resumed()),
        (goal.Archived(), goal.Resumed()),
        (
            goal.ScheduleChanged(
                schedule_id="sched_1", schedule=EVERY_MINUTE.model_copy(update={"paused": True})
            ),
            goal.ScheduleChanged(schedule_id="sched_1", schedule=EVERY_MINUTE),
        ),
        (
            goal.ScheduleRemoved(schedule_id="sched_1"),
            goal.ScheduleAdded(schedule_id="sched_1", schedule=EVERY_MINUTE),
        ),
    ],
)
async def test_a_schedule_that_was_stopped_does_not_catch_up(world: World, stop: Event, go: Event) -> None:
    await world.goal(EVERY_MINUTE)
    world.start()
    await world.minute(1)
    await world.ticked(1)
    await world.write(GOAL, "goal_1", stop)
    await world.minute(5)
    await world.write(GOAL, "goal_1", go)
    await world.minute(6)
    assert await world.decided(2) == [(1, FIRED), (6, FIRED)]


async def test_a_deleted_goal_is_forgotten(world: World) -> None:
    await world.goal(EVERY_MINUTE)
    await world.scheduled(EVERY_MINUTE)
    world.start()
    await world.write(GOAL, "goal_1", goal.Deleted())
    await world.minute(1)
    assert [one.dag_id for one in await world.ticked(1)] == ["d"]


async def test_a_schedule_may_say_itself_how_late_is_too_late(world: World) -> None:
    await world.goal(EVERY_MINUTE.model_copy(update={"cron": "@hourly", "catch_up_s": 600}))
    await world.minute(75)
    world.start(catch_up=timedelta(hours=1))
    assert await world.decided(1) == [(60, MISSED)]


async def test_a_tick_comes_later_by_its_jitter(world: World) -> None:
    await world.goal(EVERY_MINUTE.model_copy(update={"cron": "@hourly", "jitter_s": 1800}))
    hour = START + 60 * MINUTE
    moment = hour + jitter("sched_1", hour, 1800)
    entry = entry_of(await world.log.read("goal", "goal_1"), "sched_1", world.clock.now())
    assert entry is not None
    decider = Decider(world.log, "/scheduler/test", world.clock, Keys(), catch_up=timedelta())
    await world.clock.set(moment - timedelta(milliseconds=1))
    assert await decider.check(entry) == NextCheck(moment)
    assert await world.history("sched_1") == []
    await world.clock.set(moment)
    await decider.check(entry)
    assert [(one.tick, one.decision) for one in await world.ticked(1)] == [(hour, FIRED)]


async def test_jitter_never_reaches_the_next_tick(world: World) -> None:
    await world.goal(EVERY_MINUTE.model_copy(update={"jitter_s": 3600}))
    world.start()
    for number in (1, 2, 3):
        await world.clock.set(START + (number + 1) * MINUTE - timedelta(seconds=1))
        assert await world.decided(number) == [(n, FIRED) for n in range(1, number + 1)]


async def test_nothing_is_decided_anew_in_the_ordinary_course(world: World) -> None:
    await world.goal(EVERY_MINUTE)
    world.start()
    for number in (1, 2):
        await world.minute(number)
        await world.ticked(number)
    assert not [event for event in await world.history("sched_1") if isinstance(event, Amended)]
