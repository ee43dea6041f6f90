"""Folds events that plan runs and agent runs share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, update

from contracts.domain import run
from contracts.domain.run.steps import SYNTHESIS
from contracts.views import outputs, run_steps, runs
from projector.changes import Changes
from projector.fold import Fact, Fold, milliseconds, spent
from projector.run_rows import IN_PROGRESS, Amounts, change, stop_steps

fold = Fold()


@fold.on(run.TakenOver)
def taken_over(changes: Changes, fact: Fact, _: run.TakenOver) -> None:
    """Note that another executor runs it: only the time and sequence of the row change."""
    change(changes, fact)


@fold.on(run.Completed)
def completed(changes: Changes, fact: Fact, event: run.Completed) -> None:
    """Set the run to completed; for an agent run, store the reason of its outcome."""
    values = {"status": "completed", "ended_at": fact.at, "duration_ms": event.duration_ms}
    change(changes, fact, values | {"outcome_reason": event.outcome_reason})


@fold.on(run.StepsStarted)
def steps_started(changes: Changes, fact: Fact, event: run.StepsStarted) -> None:
    """Set steps to running. The turn of an agent has no row until the model has answered."""
    for step in event.steps:
        values = {
            "status": "running",
            "started_at": fact.at,
            "retry_at": None,
            "error": None,
            "updated_at": fact.at,
        }
        changes.update(run_steps, (fact.id, step), values, {"attempt": 1})
    change(changes, fact, add={"waiting_steps": -len(event.retried)})


@fold.on(run.StepFailed)
def step_failed(changes: Changes, fact: Fact, event: run.StepFailed) -> None:
    """Set a step to waiting if it is retried, otherwise to failed. Add the cost of the attempt."""
    values: dict[str, Any] = {"error": event.error, "duration_ms": event.duration_ms, "updated_at": fact.at}
    if event.retry_at:
        values |= {"status": "waiting", "retry_at": milliseconds(event.retry_at)}
        counts: Amounts = {"waiting_steps": 1}
    else:
        values |= {"status": "failed", "completed_at": fact.at}
        counts = {"failed_steps": 1} if event.step != SYNTHESIS else {}
        if "." in event.step:
            _call_failed(changes, fact, event)
    if event.model is not None:
        values |= {"provider": event.provider, "model": event.model}
    cost = spent(event)
    changes.update(run_steps, (fact.id, event.step), values, cost)
    change(changes, fact, add={**counts, **cost})
    if cost["cost_pico"]:
        _turn_cost(changes, fact, cost["cost_pico"])


@fold.on(run.Cancelled)
def cancelled(changes: Changes, fact: Fact, event: run.Cancelled) -> None:
    """Set the run to cancelled and its steps in progress to failed."""
    stopped = (run_steps.c.run_id == fact.id) & run_steps.c.status.in_(IN_PROGRESS)
    tasks = select(func.count()).where(stopped, run_steps.c.step != SYNTHESIS).scalar_subquery()
    values: dict[str, Any] = {
        "failed_steps": runs.c.failed_steps + tasks,
        "duration_ms": fact.at - func.coalesce(runs.c.started_at, fact.at),
    }
    changes.execute(update(runs).where(runs.c.id == fact.id).values(values))
    stop_steps(changes, fact, IN_PROGRESS, "failed", error=f"cancelled: {event.reason}", completed_at=fact.at)
    values = {"cancelled_reason": event.reason, "cancelled_at": fact.at, "waiting_steps": 0}
    change(changes, fact, values | {"status": "cancelled", "ended_at": fact.at})


@fold.on(run.Deleted)
def deleted(changes: Changes, fact: Fact, _: run.Deleted) -> None:
    """Delete the run, its steps and its outputs."""
    changes.execute(delete(runs).where(runs.c.id == fact.id))
    for table in (run_steps, outputs):
        changes.execute(delete(table).where(table.c.run_id == fact.id))


def _turn_cost(changes: Changes, fact: Fact, pico: int) -> None:
    """Add the cost of a failed turn of an agent, which has no row. Does nothing for plan runs."""
    other = func.coalesce(runs.c.other_cost_pico, 0) + pico
    changes.execute(update(runs).where(_by_agent(fact)).values(other_cost_pico=other))


def _call_failed(changes: Changes, fact: Fact, event: run.StepFailed) -> None:
    """Count a failed tool call of an agent. Does nothing for plan runs: their step ids may look the same."""
    tool = select(run_steps.c.name).where(run_steps.c.run_id == fact.id, run_steps.c.step == event.step)
    values = {
        "failed_calls": runs.c.failed_calls + 1,
        "call_error": tool.scalar_subquery() + f": {event.error}",
    }
    changes.execute(update(runs).where(_by_agent(fact)).values(values))


def _by_agent(fact: Fact) -> ColumnElement[bool]:
    return (runs.c.id == fact.id) & (runs.c.strategy == "agent")
