"""A schedule fires whatever else is in the log, and never by a history that the scheduler cannot read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from contracts.domain.goal import GOAL
from contracts.domain.schedule.schedule import Schedule
from contracts.domain.schedule.ticks import Decision
from tests.any_source import CODEC

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.services.scheduler.conftest import World

EVERY_MINUTE = Schedule(cron="* * * * *")


async def inject_newer(world: World, event_type: str, **change: Any) -> None:
    """One more commit of the goal, of an event that this version does not know."""
    commits = await world.log.read(GOAL.name, "goal_1")
    (envelope, *_) = orjson.loads(CODEC.encode(commits[-1].commit))
    newer = {**envelope, "type": event_type, "version": 9, "dataschema": f"/schemas/{event_type}/2", **change}
    await world.log.inject("evt.goal.goal_1.active", orjson.dumps([newer]))


@pytest.mark.parametrize("subject", ["evt.goal.goal_1.active", "evt.goal.goal_2.active", "evt.dag.d.planned"])
async def test_a_message_that_is_not_a_commit_stops_no_other_schedule(world: World, subject: str) -> None:
    await world.log.inject(subject, b"garbage")
    await world.scheduled(dag_id="another")
    world.start()
    await world.log.inject(subject, b"[{}]")
    await world.minute(1)
    assert (await world.ticked(1))[0].decision is Decision.FIRED


async def test_a_goal_with_an_event_of_a_newer_version_is_left_to_a_newer_scheduler(
    world: World, eventually: Eventually
) -> None:
    """The event may have changed the schedule. Nothing is decided, and the scheduler says why."""
    await world.goal(EVERY_MINUTE)
    await inject_newer(world, "goal.schedule_moved")
    scheduler = world.start()
    await world.scheduled(dag_id="another")
    await world.minute(1)
    (tick,) = await world.ticked(1)
    assert tick.dag_id == "another"
    problem = await eventually(scheduler.problem)
    assert problem
    assert "goal.schedule_moved" in problem
    assert "upgrade this service" in problem
    assert await world.history("sched_1") == []
