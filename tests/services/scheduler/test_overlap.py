"""What becomes of a tick while the run of an earlier one is still going."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.event import Event
from contracts.domain import dag, goal, run
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.run import RUN
from contracts.domain.run_requests import RUN_PREFIX, plan_id
from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Overlap, Schedule
from contracts.domain.schedule.ticks import Amended, Decision

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.services.scheduler.conftest import World


START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIRED, QUEUED, SKIPPED, MISSED = Decision.FIRED, Decision.QUEUED, Decision.SKIPPED, Decision.MISSED
STARTED = run.GoalStarted(
    executor="e",
    at=START,
    agent=run.AgentUsed(id="a", name="a", version_name="1", prompt_template="p"),
    temperature=0.7,
    max_tokens=9,
)
ENDS = (
    run.Completed(completed_steps=1, duration_ms=1),
    run.Failed(error="broke"),
    run.Cancelled(reason="enough"),
    run.Suspended(reason="broke"),
    run.Deleted(),
)


def every_minute(overlap: Overlap) -> Schedule:
    return Schedule(cron="* * * * *", overlap=overlap)


def changed_to(overlap: Overlap) -> goal.ScheduleChanged:
    return goal.ScheduleChanged(schedule_id="sched_1", schedule=every_minute(overlap))


def run_id(minute: int) -> str:
    return ticks.run_id("sched_1", START + minute * MINUTE, RUN_PREFIX)


async def is_running(world: World, overlap: Overlap, **params: Any) -> None:
    """The run of minute 1 is going, and the clock shows minute 2."""
    await world.goal(every_minute(overlap), **params)
    world.start()
    await world.minute(1)
    await world.ticked(1)
    if not params:
        await world.runs()
        await world.write(RUN, run_id(1), STARTED)
    await world.minute(2)
    await world.ticked(2)


async def amended(world: World) -> list[tuple[int, Decision, str | None]]:
    """What was decided anew: minute, decision, run."""
    return [
        ((one.tick - START) // MINUTE, one.decision, one.run_id)
        for one in await world.history("sched_1")
        if isinstance(one, Amended)
    ]


async def test_by_default_a_tick_is_skipped_and_says_why(world: World) -> None:
    assert Schedule(cron="* * * * *").overlap is Overlap.SKIP
    await is_running(world, Overlap.SKIP)
    _, skipped = await world.ticked(2)
    assert (skipped.decision, skipped.reason) == (SKIPPED, f"the run {run_id(1)} is still in progress")
    assert len(await world.runs()) == 1


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.type)
async def test_a_run_that_has_ended_or_waits_for_a_person_does_not_block_the_next_tick(
    world: World, end: Event
) -> None:
    await is_running(world, Overlap.SKIP)
    await world.write(RUN, run_id(1), end)
    await world.minute(3)
    assert await world.decided(3) == [(1, FIRED), (2, SKIPPED), (3, FIRED)]
    assert len(await world.runs()) == 2


async def test_a_run_in_progress_still_blocks_after_ticks_that_were_skipped(world: World) -> None:
    await is_running(world, Overlap.SKIP)
    for number in (3, 4):
        await world.minute(number)
        await world.ticked(number)
    assert {one.decision for one in (await world.ticked(4))[1:]} == {SKIPPED}


async def resumed_beside_a_later_run(world: World, overlap: Overlap) -> None:
    """Run 1 was suspended, so run 2 began; run 1 is resumed, run 2 ends, and the clock shows minute 3."""
    await world.goal(every_minute(overlap))
    world.start()
    await world.minute(1)
    await world.ticked(1)
    await world.runs()
    await world.write(RUN, run_id(1), STARTED, run.Suspended(reason="broke"))
    await world.minute(2)
    await world.ticked(2)
    await world.runs()
    await world.write(RUN, run_id(1), run.Resumed())
    await world.write(RUN, run_id(2), STARTED, run.Completed(completed_steps=1, duration_ms=1))
    await world.minute(3)
    await world.ticked(3)


async def test_a_tick_is_skipped_while_any_earlier_run_is_in_progress(world: World) -> None:
    await resumed_beside_a_later_run(world, Overlap.SKIP)
    *_, skipped = await world.ticked(3)
    assert (skipped.decision, skipped.reason) == (SKIPPED, f"the run {run_id(1)} is still in progress")
    await world.write(RUN, run_id(1), run.Cancelled(reason="enough"))
    await world.minute(4)
    assert (await world.decided(4))[3:] == [(4, FIRED)]


async def test_every_earlier_run_in_progress_is_cancelled_if_the_policy_is_cancel_running(
    world: World,
) -> None:
    await is_running(world, Overlap.ALLOW)
    await world.runs()
    await world.write(GOAL, "goal_1", changed_to(Overlap.CANCEL_RUNNING))
    await world.minute(3)
    *_, fired = await world.ticked(3)
    assert fired.reason == (
        f"the runs {run_id(1)} and {run_id(2)} were in progress and have been cancelled for it"
    )
    for number in (1, 2):
        assert (await world.log.read("run", run_id(number)))[-1].commit.state == "cancelled"


async def test_a_queued_tick_waits_for_every_earlier_run(world: World, eventually: Eventually) -> None:
    await resumed_beside_a_later_run(world, Overlap.QUEUE_ONE)
    assert (await world.decided(3))[2:] == [(3, QUEUED)]
    await world.write(RUN, run_id(1), run.Cancelled(reason="enough"))
    await eventually(lambda: amended(world))
    assert await amended(world) == [(3, FIRED, run_id(3))]


async def test_a_policy_that_is_set_later_holds_for_the_runs_that_overlap_already(world: World) -> None:
    await is_running(world, Overlap.ALLOW)
    await world.runs()
    await world.write(GOAL, "goal_1", changed_to(Overlap.SKIP))
    await world.write(RUN, run_id(2), STARTED, run.Completed(completed_steps=1, duration_ms=1))
    await world.minute(3)
    await world.ticked(3)
    await world.minute(4)
    assert (await world.decided(4))[2:] == [(3, SKIPPED), (4, SKIPPED)]


async def test_runs_that_have_ended_are_not_kept(world: World) -> None:
    await world.goal(every_minute(Overlap.SKIP))
    world.start()
    for number in range(1, 4):
        await world.minute(number)
        *_, fired = await world.ticked(number)
        await world.runs()
        assert fired.unfinished == ()
        await world.write(RUN, run_id(number), STARTED, run.Completed(completed_steps=1, duration_ms=1))


async def test_runs_overlap_if_the_policy_is_allow(world: World) -> None:
    await is_running(world, Overlap.ALLOW)
    assert await world.decided(2) == [(1, FIRED), (2, FIRED)]
    assert len(await world.runs()) == 2


async def test_the_run_in_progress_is_cancelled_if_the_policy_is_cancel_running(world: World) -> None:
    await is_running(world, Overlap.CANCEL_RUNNING)
    _, fired = await world.ticked(2)
    assert (fired.decision, fired.run_id) == (FIRED, run_id(2))
    assert "has been cancelled for it" in (fired.reason or "")
    assert [one.commit.state for one in await world.log.read("run", run_id(1))][-1] == "cancelled"
    assert len(await world.runs()) == 2


async def test_at_most_one_tick_waits_for_the_run_in_progress(world: World, eventually: Eventually) -> None:
    await is_running(world, Overlap.QUEUE_ONE)
    await world.minute(3)
    assert await world.decided(3) == [(1, FIRED), (2, QUEUED), (3, SKIPPED)]
    assert len(await world.runs()) == 1
    await world.write(RUN, run_id(1), run.Completed(completed_steps=1, duration_ms=1))
    await eventually(lambda: amended(world))
    assert await amended(world) == [(2, FIRED, run_id(2))]
    assert {one.commit.aggregate_id for one in await world.runs()} == {run_id(1), run_id(2)}


async def test_after_the_queued_run_has_begun_the_next_tick_can_be_queued(
    world: World, eventually: Eventually
) -> None:
    await is_running(world, Overlap.QUEUE_ONE)
    await world.write(RUN, run_id(1), run.Completed(completed_steps=1, duration_ms=1))
    await eventually(lambda: amended(world))
    await world.runs()
    await world.minute(3)
    assert (await world.decided(3))[2:] == [(3, QUEUED)]


async def test_a_queued_tick_is_not_lost_with_its_scheduler(world: World, eventually: Eventually) -> None:
    await is_running(world, Overlap.QUEUE_ONE)
    await world.kill()
    await world.write(RUN, run_id(1), run.Failed(error="broke"))
    world.start()
    await eventually(lambda: amended(world))
    assert await amended(world) == [(2, FIRED, run_id(2))]


async def test_a_queued_tick_does_not_fire_if_the_goal_is_paused(
    world: World, eventually: Eventually
) -> None:
    await is_running(world, Overlap.QUEUE_ONE)
    await world.write(GOAL, "goal_1", goal.Paused())
    await world.write(RUN, run_id(1), run.Completed(completed_steps=1, duration_ms=1))
    await world.clock.set(START + 2.5 * MINUTE)
    await world.write(GOAL, "goal_1", goal.Resumed())
    await eventually(lambda: amended(world))
    assert await amended(world) == [(2, MISSED, None)]
    assert len(await world.runs()) == 1


async def test_many_schedulers_release_a_queued_tick_once(world: World, eventually: Eventually) -> None:
    for _ in range(3):
        world.start()
    await is_running(world, Overlap.QUEUE_ONE)
    await world.write(RUN, run_id(1), run.Completed(completed_steps=1, duration_ms=1))
    await eventually(lambda: amended(world))
    await asyncio.gather(world.minute(3), world.ticked(3))
    assert await amended(world) == [(2, FIRED, run_id(2))]
    assert len(await world.runs()) == 2


# ── goals that are pursued by a plan ────────────────────────────────────────────────────────────────────


async def test_planning_counts_as_in_progress(world: World) -> None:
    await is_running(world, Overlap.SKIP, strategy="dag")
    assert await world.decided(2) == [(1, FIRED), (2, SKIPPED)]
    await world.write(DAG, plan_id(run_id(1)), dag.Rejected(http_status=503, error="no model"))
    await world.minute(3)
    assert (await world.decided(3))[2:] == [(3, FIRED)]


async def test_planning_is_cancelled_if_the_policy_is_cancel_running(world: World) -> None:
    await is_running(world, Overlap.CANCEL_RUNNING, strategy="dag")
    assert await world.decided(2) == [(1, FIRED), (2, FIRED)]
    (_, rejected) = await world.log.read("dag", plan_id(run_id(1)))
    (event,) = rejected.commit.events
    assert isinstance(event, dag.Rejected)
    assert event.error == "cancelled: the schedule sched_1 starts the next run"
    states = [one.commit.state for one in await world.log.read("run", run_id(1))]
    assert states == ["cancelled"], "or a planner that has its plan already would still ask for the run"


async def test_the_queued_tick_fires_when_planning_ends(world: World, eventually: Eventually) -> None:
    await is_running(world, Overlap.QUEUE_ONE, strategy="dag")
    await world.write(DAG, plan_id(run_id(1)), dag.Rejected(http_status=503, error="no model"))
    await eventually(lambda: amended(world))
    assert await amended(world) == [(2, FIRED, run_id(2))]


async def test_a_dag_is_guarded_like_a_goal(world: World) -> None:
    await world.scheduled(every_minute(Overlap.SKIP))
    world.start()
    for number in (1, 2):
        await world.minute(number)
        await world.ticked(number)
    assert await world.decided(2) == [(1, FIRED), (2, SKIPPED)]
