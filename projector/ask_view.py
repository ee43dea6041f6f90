"""Folds questions of runs to a person."""

from __future__ import annotations

from sqlalchemy import delete, update

from contracts.core.event import Event
from contracts.domain import run
from contracts.views import asks, run_steps
from projector.changes import Changes
from projector.fold import EventMeta, Fold, milliseconds
from projector.run_rows import change

fold = Fold()

STATUSES = {"approve": "approved", "reject": "rejected", "answer": "answered"}
"""Status of an answered question, by verdict."""


@fold.on(run.Asked)
def asked(changes: Changes, meta: EventMeta, event: run.Asked) -> None:
    """Insert an open question. Its step waits."""
    row = {
        "id": run.ask_id(meta.id, event.step, event.attempt),
        "run_id": meta.id,
        "step": event.step,
        "attempt": event.attempt,
        "kind": event.kind,
        "status": "open",
        "title": event.title,
        "tool": event.tool,
        "params": event.params,
        "params_sha256": event.params_sha256,
        "answer_schema": event.answer_schema,
        "why": event.why,
        "policy": event.policy,
        "asked_at": meta.at,
        "expires_at": milliseconds(event.expires_at) if event.expires_at else None,
    }
    changes.insert(asks, row)
    changes.update(run_steps, (meta.id, event.step), {"status": "waiting", "updated_at": meta.at})
    change(changes, meta, add={"waiting_steps": 1})


@fold.on(run.Answered)
def answered(changes: Changes, meta: EventMeta, event: run.Answered) -> None:
    """Close a question. Its step runs again."""
    values = {
        "status": STATUSES[event.verdict],
        "closed_at": milliseconds(event.at),
        "verdict": event.verdict,
        "edited_params": event.params,
        "value": event.value,
        "comment": event.comment,
        "answered_by": event.by,
    }
    changes.update(asks, (run.ask_id(meta.id, event.step, event.attempt),), values)
    _closed(changes, meta)


@fold.on(run.AskExpired)
def expired(changes: Changes, meta: EventMeta, event: run.AskExpired) -> None:
    """Close a question that nobody answered in time."""
    values = {"status": "expired", "closed_at": meta.at}
    changes.update(asks, (run.ask_id(meta.id, event.step, event.attempt),), values)
    _closed(changes, meta)


@fold.on(run.Waiting)
def waiting(changes: Changes, meta: EventMeta, _: run.Waiting) -> None:
    """Set the run to waiting."""
    change(changes, meta, {"status": "waiting"})


@fold.on(run.Continued)
def continued(changes: Changes, meta: EventMeta, _: run.Continued) -> None:
    """Set the run to running."""
    change(changes, meta, {"status": "running"})


def withdrawn(changes: Changes, meta: EventMeta, _: Event) -> None:
    """Withdraw the open questions of a run that stopped."""
    still_open = (asks.c.run_id == meta.id) & (asks.c.status == "open")
    changes.execute(update(asks).where(still_open).values(status="withdrawn", closed_at=meta.at))


for stopped in (run.Suspended, run.Cancelled, run.Failed):
    fold.on(stopped)(withdrawn)


@fold.on(run.Deleted)
def deleted(changes: Changes, meta: EventMeta, _: run.Deleted) -> None:
    """Delete the questions of the run."""
    changes.execute(delete(asks).where(asks.c.run_id == meta.id))


def _closed(changes: Changes, meta: EventMeta) -> None:
    """Count one waiting step less. The step itself is waiting until it runs again."""
    change(
        changes,
        meta,
        {"status": "pending"} if meta.commit.state == "pending" else None,
        {"waiting_steps": -1},
    )
