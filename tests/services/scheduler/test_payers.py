"""What a schedule starts is paid by the client who last changed its goal or DAG, with a valid key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.event import Event
from contracts.core.scopes import Scope
from contracts.domain import dag, goal, key
from contracts.domain.goal import GOAL
from contracts.domain.key import KEY
from contracts.domain.run_requests import RUN_PREFIX, plan_id
from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Overlap, Schedule
from contracts.domain.schedule.ticks import Decision

if TYPE_CHECKING:
    from tests.services.scheduler.conftest import World

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = Schedule(cron="* * * * *", overlap=Overlap.ALLOW)
REVOKED = key.Revoked()


async def with_key(world: World, name: str, *events: Event, expires_at: datetime | None = None) -> None:
    """The key called `name`, or further events of it."""
    created = key.Created(name=name, scopes=(Scope.RUN,), secret_sha256="0" * 64, expires_at=expires_at)
    await world.write(KEY, key.key_id(name), *(events or (created,)))


async def goal_of(world: World, actor: str | None, **params: Any) -> None:
    created = goal.Created(objective="find it", params=goal.Params.model_validate(params))
    added = goal.ScheduleAdded(schedule_id="sched_1", schedule=EVERY_MINUTE)
    await world.write(GOAL, "goal_1", created, added, actor=actor)


async def paid_by(world: World, minute: int) -> Any:
    """Who pays for the run of this minute."""
    (requested,) = [
        event
        for one in await world.runs()
        if one.commit.aggregate_id in (run_id(minute), dag_run_id(minute))
        for event in one.commit.events
    ]
    return requested.paid_by  # type: ignore[attr-defined]


def run_id(minute: int) -> str:
    return ticks.run_id("sched_1", START + minute * MINUTE, RUN_PREFIX)


def dag_run_id(minute: int) -> str:
    return ticks.run_id("d", START + minute * MINUTE)


async def test_the_key_that_made_the_schedule_of_a_goal_pays_for_its_runs(world: World) -> None:
    await with_key(world, "ci")
    await goal_of(world, "key:ci")
    world.start()
    await world.minute(1)
    await world.ticked(1)
    assert await paid_by(world, 1) == "key:ci"
    (requested,) = await world.runs()
    assert requested.commit.actor == "service:scheduler", "the audit still says that it was the time"


async def test_the_key_that_made_a_goal_with_a_plan_pays_for_planning_it(world: World) -> None:
    await with_key(world, "ci")
    await goal_of(world, "key:ci", strategy="dag")
    world.start()
    await world.minute(1)
    await world.ticked(1)
    (requested,) = (await world.log.read("dag", plan_id(run_id(1))))[0].commit.events
    assert isinstance(requested, dag.Requested)
    assert requested.paid_by == "key:ci"


@pytest.mark.parametrize(
    "change",
    [
        dag.Updated(title="another"),
        dag.ScheduleSet(schedule=EVERY_MINUTE.model_copy(update={"cron": "*/1 * * * *"})),
    ],
)
async def test_the_key_that_changed_a_dag_last_pays_for_its_runs(world: World, change: Event) -> None:
    await with_key(world, "ci")
    await with_key(world, "boss")
    await world.scheduled()
    await world.dag(dag.Updated(title="mine"), actor="key:ci")
    await world.dag(change, actor="key:boss")
    world.start()
    await world.minute(1)
    await world.ticked(1)
    assert await paid_by(world, 1) == "key:boss"


async def test_a_commit_of_a_service_does_not_change_who_pays(world: World) -> None:
    await with_key(world, "ci")
    await goal_of(world, "key:ci")
    await world.write(GOAL, "goal_1", goal.Updated(objective="find it"), actor="service:gateway")
    world.start()
    await world.minute(1)
    await world.ticked(1)
    assert await paid_by(world, 1) == "key:ci"


async def test_the_runs_of_a_schedule_that_was_made_without_a_key_are_paid_by_no_key(world: World) -> None:
    await goal_of(world, None)
    world.start()
    await world.minute(1)
    await world.ticked(1)
    assert await paid_by(world, 1) is None


@pytest.mark.parametrize(
    ("key_events", "expires_at", "why"),
    [
        ((REVOKED,), None, "the key ci is revoked"),
        ((), START + 0.5 * MINUTE, "the key ci has expired"),
    ],
)
async def test_a_schedule_starts_nothing_when_its_key_is_not_valid_any_more(
    world: World, key_events: tuple[Event, ...], expires_at: datetime | None, why: str
) -> None:
    await with_key(world, "ci", expires_at=expires_at)
    if key_events:
        await with_key(world, "ci", *key_events)
    await goal_of(world, "key:ci")
    world.start()
    await world.minute(1)
    (skipped,) = await world.ticked(1)
    assert skipped.decision is Decision.SKIPPED
    assert (skipped.reason or "").startswith(f"{why}. It changed the goal last")
    assert await world.runs() == []


async def test_a_schedule_goes_on_when_another_key_has_resumed_it(world: World) -> None:
    await with_key(world, "ci")
    await with_key(world, "ci", REVOKED)
    await with_key(world, "boss")
    await goal_of(world, "key:ci")
    world.start()
    await world.minute(1)
    await world.ticked(1)
    await world.write(GOAL, "goal_1", goal.Paused(), actor="key:boss")
    await world.write(GOAL, "goal_1", goal.Resumed(), actor="key:boss")
    await world.minute(2)
    await world.ticked(2)
    assert await paid_by(world, 2) == "key:boss"


async def test_a_schedule_goes_on_when_its_expired_key_is_rotated(world: World) -> None:
    await with_key(world, "ci", expires_at=START + 0.5 * MINUTE)
    await goal_of(world, "key:ci")
    world.start()
    await world.minute(1)
    await world.ticked(1)
    await with_key(world, "ci", key.Rotated(secret_sha256="1" * 64, expires_at=START + 60 * MINUTE))
    await world.minute(2)
    assert await world.decided(2) == [(1, Decision.SKIPPED), (2, Decision.FIRED)]


async def test_the_key_of_a_schedule_is_known_to_a_scheduler_that_starts(world: World) -> None:
    await with_key(world, "ci")
    await with_key(world, "ci", REVOKED)
    await goal_of(world, "key:ci")
    await world.minute(1)
    world.start()
    assert await world.decided(1) == [(1, Decision.SKIPPED)]
