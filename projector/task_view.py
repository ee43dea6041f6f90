"""Folds events of single tasks."""

from __future__ import annotations

from typing import Any

from contracts.domain import task
from contracts.views import tasks
from projector.changes import Changes
from projector.fold import Fact, Fold, spent

fold = Fold()


@fold.on(task.Answered)
def answered(changes: Changes, fact: Fact, event: task.Answered) -> None:
    """Insert an answered task with its cost."""
    changes.insert(tasks, {**_row(fact, event), "status": "answered"})


@fold.on(task.Failed)
def failed(changes: Changes, fact: Fact, event: task.Failed) -> None:
    """Insert a failed task with its error and cost."""
    changes.insert(tasks, {**_row(fact, event), "status": "failed", "error": event.error})


def _row(fact: Fact, event: task.Answered | task.Failed) -> dict[str, Any]:
    return {
        "id": fact.id,
        "agent_id": event.agent_id,
        "agent_name": event.agent_name,
        "agent_version": event.agent_version,
        "provider": event.provider,
        "model": event.model,
        **spent(event),
        "duration_ms": event.duration_ms,
        "created_at": fact.at,
    }
