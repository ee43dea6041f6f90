"""Folds events of single tasks."""

from __future__ import annotations

from typing import Any

from contracts.domain import task
from contracts.views import tasks
from projector.changes import Changes
from projector.fold import EventMeta, Fold, spent

fold = Fold()


@fold.on(task.Answered)
def answered(changes: Changes, meta: EventMeta, event: task.Answered) -> None:
    """Insert an answered task with its cost."""
    changes.insert(tasks, {**_row(meta, event), "status": "answered"})


@fold.on(task.Failed)
def failed(changes: Changes, meta: EventMeta, event: task.Failed) -> None:
    """Insert a failed task with its error and cost."""
    changes.insert(tasks, {**_row(meta, event), "status": "failed", "error": event.error})


def _row(meta: EventMeta, event: task.Answered | task.Failed) -> dict[str, Any]:
    return {
        "id": meta.id,
        "agent_id": event.agent_id,
        "agent_name": event.agent_name,
        "agent_version": event.agent_version,
        "provider": event.provider,
        "model": event.model,
        **spent(event),
        "duration_ms": event.duration_ms,
        "created_at": meta.at,
    }
