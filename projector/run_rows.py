"""Helpers for the rows of runs, steps and outputs, for plan runs and agent runs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from contracts.domain import run
from contracts.views import outputs, run_steps, runs
from projector.changes import Changes
from projector.fold import Fact

IN_PROGRESS = ("running", "waiting")
"""Statuses of steps in progress."""

Amounts = dict[str, int | None]
"""Amounts to add to columns; None adds nothing."""


def new_run(fact: Fact, **values: Any) -> dict[str, Any]:
    """The row of a new, pending run."""
    counts = ("total_steps", "completed_steps", "failed_steps", "waiting_steps", "failed_calls", "resumes")
    return {
        "id": fact.id,
        "primary_intent": "",
        "status": "pending",
        **dict.fromkeys(counts, 0),
        "created_at": fact.at,
        "updated_at": fact.at,
        "first_seq": fact.seq,
        "seq": fact.seq,
        **values,
    }


def change(
    changes: Changes, fact: Fact, values: dict[str, Any] | None = None, add: Amounts | None = None
) -> None:
    """Set `values` and add the amounts `add` in the row of the run."""
    changes.update(runs, (fact.id,), {**(values or {}), "updated_at": fact.at, "seq": fact.seq}, add)


def new_step(fact: Fact, step: str, number: int, **values: Any) -> dict[str, Any]:
    """The row of a new, pending step."""
    return {
        "run_id": fact.id,
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
        "created_at": fact.at,
        "updated_at": fact.at,
        **values,
    }


def result_of(fact: Fact, event: run.StepCompleted | run.CallAnswered) -> dict[str, Any]:
    """The values to set in the row of a completed step."""
    return {
        "status": "completed",
        "completed_at": fact.at,
        "duration_ms": event.duration_ms,
        "result": event.result,
        "error": None,
        "updated_at": fact.at,
    }


def add_output(changes: Changes, fact: Fact, step: str, left: run.Output) -> None:
    """Insert an output of the run."""
    changes.insert(
        outputs,
        {
            "id": f"output_{suffix(fact.id)}-{step}",
            "run_id": fact.id,
            "kind": left.kind,
            "path_or_payload": left.content,
            "created_at": fact.at,
        },
    )


def suffix(run_id: str) -> str:
    """The part of a run's id that is used in the ids of its steps and outputs."""
    return run_id.rpartition("_")[2]


def stop_steps(changes: Changes, fact: Fact, statuses: tuple[str, ...], to: str, **values: Any) -> None:
    """Set the status and other values of the steps of a run that have one of `statuses`."""
    stopped = (run_steps.c.run_id == fact.id) & run_steps.c.status.in_(statuses)
    values |= {"status": to, "retry_at": None, "updated_at": fact.at}
    changes.execute(update(run_steps).where(stopped).values(values))
