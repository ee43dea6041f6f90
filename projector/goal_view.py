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
from projector.fold import EventMeta, Fold

fold = Fold()


@fold.on(goal.Created)
def created(changes: Changes, meta: EventMeta, event: goal.Created) -> None:
    """Insert an active goal."""
    changes.insert(
        goals,
        {
            "id": meta.id,
            "objective": event.objective,
            "params": event.params.as_json(),
            "webhook_url": event.webhook_url,
            "webhook_events": list(event.webhook_events),
            "agent_id": event.agent_id,
            "status": "active",
            "created_at": meta.at,
            "updated_at": meta.at,
            "first_seq": meta.seq,
        },
    )


@fold.on(goal.Updated)
def updated(changes: Changes, meta: EventMeta, event: goal.Updated) -> None:
    """Change the given fields."""
    values: dict[str, Any] = {}
    if event.objective is not None:
        values["objective"] = event.objective
    if event.params is not None:
        values["params"] = event.params.as_json()
    if event.webhook_url is not None:
        values["webhook_url"] = event.webhook_url or None
    if event.webhook_events is not None:
        values["webhook_events"] = list(event.webhook_events)
    _goal(changes, meta, values)


@fold.on(goal.Paused)
def paused(changes: Changes, meta: EventMeta, _: goal.Paused) -> None:
    """Pause the goal and deactivate its schedules."""
    _set_status(changes, meta, "paused", active=False)


@fold.on(goal.Resumed)
def resumed(changes: Changes, meta: EventMeta, _: goal.Resumed) -> None:
    """Resume the goal and activate its schedules."""
    _set_status(changes, meta, "active", active=True)


@fold.on(goal.Archived)
def archived(changes: Changes, meta: EventMeta, _: goal.Archived) -> None:
    """Archive the goal and deactivate its schedules."""
    _set_status(changes, meta, "archived", active=False)


@fold.on(goal.ScheduleAdded)
def schedule_added(changes: Changes, meta: EventMeta, event: goal.ScheduleAdded) -> None:
    """Insert a schedule."""
    row = {"id": event.schedule_id, "goal_id": meta.id, "created_at": meta.at}
    changes.insert(goal_schedules, row | _schedule(meta, event.schedule))
    _goal(changes, meta, {})


@fold.on(goal.ScheduleChanged)
def schedule_changed(changes: Changes, meta: EventMeta, event: goal.ScheduleChanged) -> None:
    """Replace the schedule."""
    changes.update(goal_schedules, (event.schedule_id,), _schedule(meta, event.schedule))
    _goal(changes, meta, {})


@fold.on(goal.ScheduleRemoved)
def schedule_removed(changes: Changes, meta: EventMeta, event: goal.ScheduleRemoved) -> None:
    """Delete the schedule and its ticks."""
    changes.execute(delete(goal_schedules).where(goal_schedules.c.id == event.schedule_id))
    changes.execute(delete(schedule_ticks).where(schedule_ticks.c.schedule_id == event.schedule_id))
    _goal(changes, meta, {})


@fold.on(goal.Deleted)
def deleted(changes: Changes, meta: EventMeta, _: goal.Deleted) -> None:
    """Delete the goal, its runs, schedules, memories and ticks."""
    its_runs = select(runs.c.id).where(runs.c.goal_id == meta.id)
    for table in (run_steps, outputs):
        changes.execute(delete(table).where(table.c.run_id.in_(its_runs)))
    for table in (runs, goal_schedules, memories, schedule_ticks):
        changes.execute(delete(table).where(table.c.goal_id == meta.id))
    changes.execute(delete(goals).where(goals.c.id == meta.id))


@fold.on(memory.Kept)
def kept(changes: Changes, meta: EventMeta, event: memory.Kept) -> None:
    """Insert the memories that a run stored."""
    ending = f"{event.ending}-" if event.ending else ""
    for number, one in enumerate(event.added):
        changes.insert(
            memories,
            {
                "id": f"memory_{event.run_id.rpartition('_')[2]}-{ending}{number}",
                "goal_id": meta.id,
                "run_id": event.run_id,
                "type": one.type.value,
                "content": one.content,
                "created_at": meta.at,
            },
        )


def _goal(changes: Changes, meta: EventMeta, values: dict[str, Any]) -> None:
    changes.update(goals, (meta.id,), {**values, "updated_at": meta.at})


def _set_status(changes: Changes, meta: EventMeta, status: str, *, active: bool) -> None:
    _goal(changes, meta, {"status": status})
    mine = goal_schedules.c.goal_id == meta.id
    changes.execute(update(goal_schedules).where(mine).values(active=active, updated_at=meta.at))


def _schedule(meta: EventMeta, wanted: Schedule) -> dict[str, Any]:
    return {
        "cron_expr": wanted.cron,
        "timezone": wanted.timezone,
        "active": wanted.active,
        "paused": wanted.paused,
        "overlap": wanted.overlap.value,
        "catch_up_s": wanted.catch_up_s,
        "jitter_s": wanted.jitter_s,
        "updated_at": meta.at,
    }
