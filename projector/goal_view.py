"""Folds events of goals, their schedules and their memories."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, update

from contracts.domain import goal, memory
from contracts.domain.schedule.schedule import Schedule
from contracts.views import (
    goal_schedules,
    goals,
    memories,
    outputs,
    run_steps,
    runs,
    schedule_ticks,
)
from projector.changes import Changes
from projector.fold import Fact, Fold

fold = Fold()


@fold.on(goal.Created)
def created(changes: Changes, fact: Fact, event: goal.Created) -> None:
    """Insert an active goal."""
    changes.insert(
        goals,
        {
            "id": fact.id,
            "objective": event.objective,
            "params": event.params.as_json(),
            "webhook_url": event.webhook_url,
            "agent_id": event.agent_id,
            "status": "active",
            "created_at": fact.at,
            "updated_at": fact.at,
        },
    )


@fold.on(goal.Updated)
def updated(changes: Changes, fact: Fact, event: goal.Updated) -> None:
    """Change the given fields."""
    values: dict[str, Any] = {}
    if event.objective is not None:
        values["objective"] = event.objective
    if event.params is not None:
        values["params"] = event.params.as_json()
    if event.webhook_url is not None:
        values["webhook_url"] = event.webhook_url or None
    _goal(changes, fact, values)


@fold.on(goal.Paused)
def paused(changes: Changes, fact: Fact, _: goal.Paused) -> None:
    """Pause the goal and deactivate its schedules."""
    _set_status(changes, fact, "paused", active=False)


@fold.on(goal.Resumed)
def resumed(changes: Changes, fact: Fact, _: goal.Resumed) -> None:
    """Resume the goal and activate its schedules."""
    _set_status(changes, fact, "active", active=True)


@fold.on(goal.Archived)
def archived(changes: Changes, fact: Fact, _: goal.Archived) -> None:
    """Archive the goal and deactivate its schedules."""
    _set_status(changes, fact, "archived", active=False)


@fold.on(goal.ScheduleAdded)
def schedule_added(changes: Changes, fact: Fact, event: goal.ScheduleAdded) -> None:
    """Insert a schedule."""
    row = {"id": event.schedule_id, "goal_id": fact.id, "created_at": fact.at}
    changes.insert(goal_schedules, row | _schedule(fact, event.schedule))
    _goal(changes, fact, {})


@fold.on(goal.ScheduleChanged)
def schedule_changed(changes: Changes, fact: Fact, event: goal.ScheduleChanged) -> None:
    """Replace the schedule."""
    changes.update(goal_schedules, (event.schedule_id,), _schedule(fact, event.schedule))
    _goal(changes, fact, {})


@fold.on(goal.ScheduleRemoved)
def schedule_removed(changes: Changes, fact: Fact, event: goal.ScheduleRemoved) -> None:
    """Delete the schedule and its ticks."""
    changes.execute(delete(goal_schedules).where(goal_schedules.c.id == event.schedule_id))
    changes.execute(delete(schedule_ticks).where(schedule_ticks.c.schedule_id == event.schedule_id))
    _goal(changes, fact, {})


@fold.on(goal.Deleted)
def deleted(changes: Changes, fact: Fact, _: goal.Deleted) -> None:
    """Delete the goal, its runs, schedules, memories and ticks."""
    its_runs = select(runs.c.id).where(runs.c.goal_id == fact.id)
    for table in (run_steps, outputs):
        changes.execute(delete(table).where(table.c.run_id.in_(its_runs)))
    for table in (runs, goal_schedules, memories, schedule_ticks):
        changes.execute(delete(table).where(table.c.goal_id == fact.id))
    changes.execute(delete(goals).where(goals.c.id == fact.id))


@fold.on(memory.Kept)
def kept(changes: Changes, fact: Fact, event: memory.Kept) -> None:
    """Insert the memories that a run stored."""
    for number, one in enumerate(event.added):
        changes.insert(
            memories,
            {
                "id": f"memory_{event.run_id.rpartition('_')[2]}-{number}",
                "goal_id": fact.id,
                "run_id": event.run_id,
                "type": one.type.value,
                "content": one.content,
                "created_at": fact.at,
            },
        )


def _goal(changes: Changes, fact: Fact, values: dict[str, Any]) -> None:
    changes.update(goals, (fact.id,), {**values, "updated_at": fact.at})


def _set_status(changes: Changes, fact: Fact, status: str, *, active: bool) -> None:
    _goal(changes, fact, {"status": status})
    mine = goal_schedules.c.goal_id == fact.id
    changes.execute(update(goal_schedules).where(mine).values(active=active, updated_at=fact.at))


def _schedule(fact: Fact, wanted: Schedule) -> dict[str, Any]:
    return {
        "cron_expr": wanted.cron,
        "timezone": wanted.timezone,
        "active": wanted.active,
        "paused": wanted.paused,
        "overlap": wanted.overlap.value,
        "catch_up_s": wanted.catch_up_s,
        "jitter_s": wanted.jitter_s,
        "updated_at": fact.at,
    }
