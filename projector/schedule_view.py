"""Folds events of ticks, and the time of the last run of each schedule."""

from __future__ import annotations

from sqlalchemy import delete

from contracts.domain.schedule import ticks
from contracts.domain.schedule.ticks import Amended, Decision, Ticked
from contracts.views import dags, goal_schedules, schedule_ticks
from projector.changes import Changes
from projector.fold import EventMeta, Fold, milliseconds

fold = Fold()


@fold.on(ticks.Ticked)
def ticked(changes: Changes, meta: EventMeta, event: ticks.Ticked) -> None:
    """Insert the record of a tick."""
    changes.insert(
        schedule_ticks,
        {
            "schedule_id": meta.id,
            "tick": milliseconds(event.tick),
            "decision": event.decision.value,
            "reason": event.reason,
            "dag_id": event.dag_id,
            "goal_id": event.goal_id,
            "run_id": event.run_id,
            "created_at": meta.at,
        },
    )
    _ran(changes, meta, event)


@fold.on(ticks.Amended)
def amended(changes: Changes, meta: EventMeta, event: ticks.Amended) -> None:
    """Change the record of a tick."""
    values = {"decision": event.decision.value, "reason": event.reason, "run_id": event.run_id}
    changes.update(schedule_ticks, (meta.id, milliseconds(event.tick)), values)
    _ran(changes, meta, event)


@fold.on(ticks.Rewound)
def rewound(changes: Changes, meta: EventMeta, event: ticks.Rewound) -> None:
    """Delete the records of future ticks. They will be decided again."""
    to_come = schedule_ticks.c.tick > milliseconds(event.newest)
    changes.execute(delete(schedule_ticks).where(schedule_ticks.c.schedule_id == meta.id, to_come))


def _ran(changes: Changes, meta: EventMeta, event: Ticked | Amended) -> None:
    if event.decision is not Decision.FIRED:
        return
    ran = {"last_run_at": milliseconds(event.tick)}
    if event.dag_id:
        changes.update(dags, (event.dag_id,), ran)
    elif event.goal_id:
        changes.update(goal_schedules, (meta.id,), ran)
