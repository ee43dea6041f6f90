"""Helpers for the rows of runs, steps and outputs, for plan runs and agent runs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from contracts.domain import run
from contracts.domain.limits import Limited
from contracts.views import outputs, run_steps, runs
from projector.changes import Changes
from projector.fold import EventMeta

ORIGINAL, GIVEN = "original", "given"
"""Where an inherited result comes from."""
IN_PROGRESS = ("running", "waiting")
"""Statuses of steps in progress."""

Amounts = dict[str, int | None]
"""Amounts to add to columns; None adds nothing."""

REPORT_START = 1000
"""Number of characters of a report that the search covers."""


def new_run(meta: EventMeta, **values: Any) -> dict[str, Any]:
    """The row of a new, pending run."""
    counts = ("total_steps", "completed_steps", "failed_steps", "waiting_steps", "failed_calls", "resumes")
    return {
        "id": meta.id,
        "primary_intent": "",
        "status": "pending",
        **dict.fromkeys(counts, 0),
        "created_at": meta.at,
        "updated_at": meta.at,
        "first_seq": meta.seq,
        "seq": meta.seq,
        **values,
    }


def limits(one: Limited) -> dict[str, Any]:
    """The columns that say what a run may do, from its request, the request for its plan, or the plan."""
    return {"outward_calls": one.outward_calls, "approvals": list(one.approvals) or None}


def change(
    changes: Changes, meta: EventMeta, values: dict[str, Any] | None = None, add: Amounts | None = None
) -> None:
    """Set `values` and add the amounts `add` in the row of the run."""
    changes.update(runs, (meta.id,), {**(values or {}), "updated_at": meta.at, "seq": meta.seq}, add)


def new_step(meta: EventMeta, step: str, number: int, **values: Any) -> dict[str, Any]:
    """The row of a new, pending step."""
    return {
        "run_id": meta.id,
        "step": step,
        "number": number,
        "description": "",
        "thought": "",
        "action_type": "inference",
        "name": "",
        "params": {},
        "dependencies": [],
        "status": "pending",
        "attempt": 0,
        "created_at": meta.at,
        "updated_at": meta.at,
        **values,
    }


def result_of(meta: EventMeta, event: run.StepCompleted | run.CallAnswered) -> dict[str, Any]:
    """The values to set in the row of a completed step."""
    return {
        "status": "completed",
        "completed_at": meta.at,
        "duration_ms": event.duration_ms,
        "result": event.result,
        "error": None,
        "updated_at": meta.at,
    }


def add_output(
    changes: Changes, meta: EventMeta, step: str, left: run.Output, *, run_id: str | None = None
) -> None:
    """Insert an output of a run. Default: of the run that the event belongs to."""
    of = run_id or meta.id
    changes.insert(
        outputs,
        {
            "id": output_id(of, step),
            "run_id": of,
            "kind": left.kind,
            "path_or_payload": left.content,
            "inherited": ORIGINAL if left.inherited else None,
            "created_at": meta.at,
        },
    )


def output_id(run_id: str, step: str) -> str:
    """The id of the output of a step."""
    return f"output_{suffix(run_id)}-{step}"


def suffix(run_id: str) -> str:
    """The part of a run's id that is used in the ids of its steps and outputs."""
    return run_id.rpartition("_")[2]


def stop_steps(changes: Changes, meta: EventMeta, statuses: tuple[str, ...], to: str, **values: Any) -> None:
    """Set the status and other values of the steps of a run that have one of `statuses`."""
    stopped = (run_steps.c.run_id == meta.id) & run_steps.c.status.in_(statuses)
    values |= {"status": to, "retry_at": None, "updated_at": meta.at}
    changes.execute(update(run_steps).where(stopped).values(values))
