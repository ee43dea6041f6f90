"""Folds events that plan runs and agent runs share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, update

from contracts.domain import run
from contracts.domain.run.steps import SYNTHESIS
from contracts.views import outputs, run_steps, runs
from projector.changes import Changes
from projector.fold import EventMeta, Fold, milliseconds, spent
from projector.run_rows import IN_PROGRESS, Amounts, change, output_id, stop_steps

fold = Fold()


@fold.on(run.TakenOver)
def taken_over(changes: Changes, meta: EventMeta, _: run.TakenOver) -> None:
    """Note that another executor runs it: only the time and sequence of the row change."""
    change(changes, meta)


@fold.on(run.Completed)
def completed(changes: Changes, meta: EventMeta, event: run.Completed) -> None:
    """Set the run to completed; for an agent run, store the reason of its outcome."""
    values = {"status": "completed", "ended_at": meta.at, "duration_ms": event.duration_ms}
    change(changes, meta, values | {"outcome_reason": event.outcome_reason})


@fold.on(run.StepsStarted)
def steps_started(changes: Changes, meta: EventMeta, event: run.StepsStarted) -> None:
    """Set steps to running. The turn of an agent has no row until the model has answered."""
    for step in event.steps:
        values = {
            "status": "running",
            "started_at": meta.at,
            "retry_at": None,
            "completed_at": None,
            "error": None,
            "updated_at": meta.at,
        }
        if ruling := event.outward.get(step):
            values["outward"] = ruling.model_dump()
        changes.update(run_steps, (meta.id, step), values, {"attempt": 1})
    change(changes, meta, add={"waiting_steps": -len(event.retried)})


@fold.on(run.BudgetReached)
def budget_reached(changes: Changes, meta: EventMeta, event: run.BudgetReached) -> None:
    """Set the step that was about to ask a model to pending. The turn of an agent has no row."""
    if event.step:
        changes.update(run_steps, (meta.id, event.step), {"status": "pending", "updated_at": meta.at})
    change(changes, meta)


@fold.on(run.BudgetSet)
def budget_set(changes: Changes, meta: EventMeta, _: run.BudgetSet) -> None:
    """Note that the budget changed: only the time and sequence of the row change."""
    change(changes, meta)


@fold.on(run.BudgetWarned)
def budget_warned(changes: Changes, meta: EventMeta, _: run.BudgetWarned) -> None:
    """Note the warning: only the time and sequence of the row change."""
    change(changes, meta)


@fold.on(run.StepFailed)
def step_failed(changes: Changes, meta: EventMeta, event: run.StepFailed) -> None:
    """Set a step to waiting if it is retried, otherwise to failed. Add the cost of the attempt."""
    values: dict[str, Any] = {"error": event.error, "duration_ms": event.duration_ms, "updated_at": meta.at}
    if event.retry_at:
        values |= {"status": "waiting", "retry_at": milliseconds(event.retry_at)}
        counts: Amounts = {"waiting_steps": 1}
    else:
        values |= {"status": "failed", "completed_at": meta.at}
        counts = {"failed_steps": 1} if event.step != SYNTHESIS else {}
        if "." in event.step:
            _call_failed(changes, meta, event)
    if event.model is not None:
        values |= {"provider": event.provider, "model": event.model}
    cost = spent(event)
    changes.update(run_steps, (meta.id, event.step), values, cost)
    change(changes, meta, add={**counts, **cost})
    if cost["cost_pico"]:
        _turn_cost(changes, meta, cost["cost_pico"])


@fold.on(run.Resumed)
def resumed(changes: Changes, meta: EventMeta, _: run.Resumed) -> None:
    """Set the run to pending, as if it had not ended, and the failed steps of a plan.

    A failed call of an agent stays failed until it runs again.
    """
    by_plan = run_steps.c.run_id.in_(select(runs.c.id).where(runs.c.id == meta.id, runs.c.strategy == "dag"))
    again = by_plan & run_steps.c.status.in_(("failed", *IN_PROGRESS))
    pending = {"status": "pending", "retry_at": None, "error": None, "completed_at": None}
    changes.execute(update(run_steps).where(again).values(**pending, updated_at=meta.at))
    changes.execute(delete(outputs).where(outputs.c.id == output_id(meta.id, run.SUMMARY)))
    values = {
        "status": "pending",
        "failed_steps": 0,
        "waiting_steps": 0,
        "suspended_reason": None,
        "suspended_at": None,
        "last_resumed_at": meta.at,
    }
    ending = ("ended_at", "error", "summary", "report_start", "outcome_reason")
    change(changes, meta, {**values, **dict.fromkeys(ending)}, {"resumes": 1})


@fold.on(run.Cancelled)
def cancelled(changes: Changes, meta: EventMeta, event: run.Cancelled) -> None:
    """Set the run to cancelled and its steps in progress to failed."""
    stopped = (run_steps.c.run_id == meta.id) & run_steps.c.status.in_(IN_PROGRESS)
    tasks = select(func.count()).where(stopped, run_steps.c.step != SYNTHESIS).scalar_subquery()
    values: dict[str, Any] = {
        "failed_steps": runs.c.failed_steps + tasks,
        "duration_ms": meta.at - func.coalesce(runs.c.started_at, meta.at),
    }
    changes.execute(update(runs).where(runs.c.id == meta.id).values(values))
    stop_steps(changes, meta, IN_PROGRESS, "failed", error=f"cancelled: {event.reason}", completed_at=meta.at)
    values = {"cancelled_reason": event.reason, "cancelled_at": meta.at, "waiting_steps": 0}
    values |= {"status": "cancelled", "ended_at": meta.at, "replaced_by": event.replaced_by}
    change(changes, meta, values)


@fold.on(run.Deleted)
def deleted(changes: Changes, meta: EventMeta, _: run.Deleted) -> None:
    """Delete the run, its steps and its outputs."""
    changes.execute(delete(runs).where(runs.c.id == meta.id))
    for table in (run_steps, outputs):
        changes.execute(delete(table).where(table.c.run_id == meta.id))


def _turn_cost(changes: Changes, meta: EventMeta, pico: int) -> None:
    """Add the cost of a failed turn of an agent, which has no row. Does nothing for plan runs."""
    other = func.coalesce(runs.c.other_cost_pico, 0) + pico
    changes.execute(update(runs).where(_by_agent(meta)).values(other_cost_pico=other))


def _call_failed(changes: Changes, meta: EventMeta, event: run.StepFailed) -> None:
    """Count a failed tool call of an agent. Does nothing for plan runs: their step ids may look the same."""
    tool = select(run_steps.c.name).where(run_steps.c.run_id == meta.id, run_steps.c.step == event.step)
    values = {
        "failed_calls": runs.c.failed_calls + 1,
        "call_error": tool.scalar_subquery() + f": {event.error}",
    }
    changes.execute(update(runs).where(_by_agent(meta)).values(values))


def _by_agent(meta: EventMeta) -> ColumnElement[bool]:
    return (runs.c.id == meta.id) & (runs.c.strategy == "agent")
