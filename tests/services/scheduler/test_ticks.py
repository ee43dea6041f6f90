"""What becomes of the ticks of a schedule while a scheduler is awake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY

from contracts.core.commit import Recorded
from contracts.core.event import Event
from contracts.domain import dag, run
from contracts.domain.plan import Job
from contracts.domain.schedule.schedule import Overlap, Schedule
from contracts.domain.schedule.ticks import Decision
from scheduler import owners
from scheduler.decide import AHEAD
from scheduler.request import executable

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.services.scheduler.conftest import World

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = Schedule(cron="* * * * *", overlap=Overlap.ALLOW)
FIRED, MISSED, SKIPPED = Decision.FIRED, Decision.MISSED, Decision.SKIPPED


async def test_each_tick_becomes_one_run(world: World) -> None:
    await world.scheduled()
    world.start()
    for number in (1, 2, 3):
        await world.minute(number)
        assert await world.decided(number) == [(n, FIRED) for n in range(1, number + 1)]
    runs = await world.runs()
    assert [one.commit.aggregate_id for one in runs] == [t.run_id for t in await world.ticked(3)]
    assert {one.commit.state for one in runs} == {"pending"}


async def test_a_run_carries_the_plan_as_it_is_at_the_tick(world: World) -> None:
    await world.scheduled(Schedule(cron="* * * * *", timezone="Asia/Kolkata"))
    world.start()
    await world.dag(dag.Updated(job=world.job | {"original_request": "do it better"}, title="Better"))
    await world.minute(1)
    await world.ticked(1)
    (recorded,) = await world.runs()
    (wanted,) = recorded.commit.events
    assert isinstance(wanted, run.Requested)
    assert (wanted.dag_id, wanted.dag_title, wanted.trigger) == ("d", "Better", "schedule")
    assert wanted.original_request == "do it better"
    assert wanted.job.sub_tasks[0].tool_or_prompt.params == {"text": "1/1/2026, 5:31:00 AM"}


async def test_a_plan_is_checked_once_for_each_of_its_versions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def count(plan: dag.State) -> Job:
        checked.append(plan.title or "")
        return executable(plan)

    monkeypatch.setattr(owners, "executable", count)
    await world.scheduled()
    world.start()
    for number in (1, 2):
        await world.minute(number)
        await world.ticked(number)
    await world.dag(dag.Updated(title="Better"))
    for number in (3, 4):
        await world.minute(number)
        await world.ticked(number)
        await world.runs()
    assert checked == ["", "Better"]


async def test_a_schedule_is_read_once_however_often_it_fires(world: World, eventually: Eventually) -> None:
    reads = 0
    newest = world.log.newest

    async def count(aggregate: str, aggregate_id: str) -> Recorded | None:
        nonlocal reads
        reads += aggregate == "schedule"
        return await newest(aggregate, aggregate_id)

    world.log.newest = count  # type: ignore[method-assign]
    await world.scheduled()
    scheduler = world.start()

    async def waits_for(number: int) -> None:
        await eventually(lambda: scheduler._agenda.get("d") == START + number * MINUTE - AHEAD)

    for number in (1, 2, 3):
        await waits_for(number)
        await world.minute(number)
        await world.runs()
    await waits_for(4)
    assert reads == 1


async def test_a_tick_and_its_run_have_one_correlation_id(world: World) -> None:
    await world.scheduled()
    world.start()
    await world.minute(1)
    await world.ticked(1)
    (one_run,) = await world.runs()
    (tick,) = await world.log.read("schedule", "d")
    assert one_run.commit.correlation_id == tick.commit.correlation_id
    assert one_run.commit.actor == tick.commit.actor == "service:scheduler"


async def test_each_tick_has_its_own_correlation_id(world: World) -> None:
    await world.scheduled()
    world.start()
    for number in (1, 2):
        await world.minute(number)
        await world.ticked(number)
    first, second = await world.log.read("schedule", "d")
    assert first.commit.correlation_id != second.commit.correlation_id


async def test_many_schedulers_fire_once(world: World) -> None:
    await world.scheduled()
    for _ in range(5):
        world.start()
    await world.minute(1)
    await world.ticked(1)
    await world.minute(2)
    assert await world.decided(2) == [(1, FIRED), (2, FIRED)]
    assert len(await world.runs()) == 2


async def test_a_schedule_set_while_running_fires_from_its_next_tick_on(world: World) -> None:
    world.start()
    await world.minute(5)
    await world.scheduled()
    await world.minute(6)
    assert await world.decided(1) == [(6, FIRED)]


async def test_a_paused_dag_neither_fires_nor_catches_up(world: World) -> None:
    await world.scheduled()
    world.start()
    await world.minute(1)
    await world.ticked(1)
    await world.dag(dag.Updated(label="paused"))
    await world.minute(5)
    await world.dag(dag.Updated(label="active"))
    await world.minute(6)
    assert await world.decided(2) == [(1, FIRED), (6, FIRED)]


async def test_a_changed_expression_counts_from_its_change_on(world: World) -> None:
    await world.scheduled()
    world.start()
    await world.minute(1)
    await world.ticked(1)
    await world.dag(dag.ScheduleSet(schedule=Schedule(cron="*/10 * * * *", overlap=Overlap.ALLOW)))
    await world.minute(10)
    assert await world.decided(2) == [(1, FIRED), (10, FIRED)]
    await world.dag(dag.ScheduleSet(schedule=EVERY_MINUTE))
    await world.minute(11)
    assert await world.decided(3) == [(1, FIRED), (10, FIRED), (11, FIRED)]


@pytest.mark.parametrize("end", [dag.Deleted(), dag.ScheduleSet(schedule=None)])
async def test_a_dag_without_a_schedule_any_more_is_forgotten(world: World, end: Event) -> None:
    await world.scheduled()
    await world.scheduled(dag_id="other")
    world.start()
    await world.dag(end)
    for number in (1, 2):
        await world.minute(number)
        await world.ticked(number)
    assert {one.dag_id for one in await world.ticked(2)} == {"other"}
    assert len(await world.runs()) == 2


async def test_a_tick_of_an_invalid_plan_is_skipped_with_the_reason(world: World) -> None:
    await world.scheduled()
    world.start()
    await world.dag(dag.Updated(job={"plan": "to be made"}))
    await world.minute(1)
    (skipped,) = await world.ticked(1)
    assert skipped.decision is SKIPPED
    assert "correct its `result`" in (skipped.reason or "")
    await world.dag(dag.Updated(job=world.job))
    await world.minute(2)
    assert await world.decided(2) == [(1, SKIPPED), (2, FIRED)]
    assert len(await world.runs()) == 1


async def test_ticks_are_counted_by_their_decision(world: World) -> None:
    def value(name: str, **labels: Any) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0

    def figures() -> list[float]:
        return [
            value("scheduler_ticks_total", decision="fired"),
            value("scheduler_ticks_total", decision="missed"),
            value("scheduler_lateness_seconds_count"),
            value("scheduler_lateness_seconds_sum"),
        ]

    before = figures()
    await world.scheduled()
    await world.clock.set(START + 2.5 * MINUTE)
    world.start()
    await world.ticked(2)
    assert [after - b for after, b in zip(figures(), before, strict=True)] == pytest.approx([1, 1, 1, 30])
    assert value("scheduler_active_schedules") == 1
