"""Folds events that only plan runs have: waiting for the plan, planned steps, suspension."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from contracts.domain import dag, run
from contracts.domain.plan import SubTask, natural_order
from contracts.domain.run.steps import SYNTHESIS, synthesis_of
from contracts.views import run_steps, runs
from projector.changes import Changes
from projector.fold import EventMeta, Fold, milliseconds, spent
from projector.run_rows import (
    IN_PROGRESS,
    REPORT_START,
    add_output,
    change,
    limits,
    new_run,
    new_step,
    result_of,
    stop_steps,
    suffix,
)

fold = Fold()

FROM_THE_START = frozenset({"goal_id", "own_plan", "trigger", "created_at", "first_seq"})
"""Columns that keep their values when a run that waited for its plan is requested."""


@fold.on(dag.Requested)
def plan_requested(changes: Changes, meta: EventMeta, event: dag.Requested) -> None:
    """Insert a run that waits for its plan."""
    if event.run_id:
        row = new_run(
            meta,
            id=event.run_id,
            strategy="dag",
            goal_id=event.goal_id,
            dag_id=meta.id,
            own_plan=True,
            request=event.goal_text,
            trigger=event.trigger,
            **limits(event),
        )
        changes.insert(runs, row)


@fold.on(dag.Clarified)
def plan_clarified(changes: Changes, meta: EventMeta, event: dag.Clarified) -> None:
    """Append the answer to the request of the waiting run."""
    _waiting_run(changes, meta, {"request": runs.c.request + event.addition})


@fold.on(dag.Planned)
def plan_made(changes: Changes, meta: EventMeta, event: dag.Planned) -> None:
    """Store the title, intent and number of steps of the plan in the waiting run."""
    values = {"primary_intent": event.job.intent.primary, "total_steps": len(event.job.sub_tasks)}
    _waiting_run(changes, meta, values | ({"dag_title": event.title} if event.title else {}))


@fold.on(dag.Rejected)
def plan_rejected(changes: Changes, meta: EventMeta, event: dag.Rejected) -> None:
    """Set the waiting run to failed."""
    _without_plan(changes, meta, event.error)


@fold.on(dag.Deleted)
def plan_deleted(changes: Changes, meta: EventMeta, _: dag.Deleted) -> None:
    """Set the waiting run to failed."""
    _without_plan(changes, meta, "its plan was deleted")


@fold.on(run.Requested)
def requested(changes: Changes, meta: EventMeta, event: run.Requested) -> None:
    """Insert a pending run and all its steps; the synthesis is last."""
    tasks = {task.id: task for task in event.job.sub_tasks}
    in_order = [*(tasks[id_] for id_ in natural_order(tasks)), synthesis_of(event.job)]
    row = new_run(
        meta,
        strategy="dag",
        goal_id=event.goal_id,
        dag_id=event.dag_id,
        dag_title=event.dag_title,
        own_plan=event.trigger == "plan",
        request=event.original_request,
        primary_intent=event.job.intent.primary,
        trigger="schedule" if event.trigger == "schedule" else "api",
        planned_at=meta.at,
        total_steps=len(tasks),
        forked_from=event.forked_from and event.forked_from.run_id,
        **limits(event.job),
    )
    changes.insert(runs, row, keep=FROM_THE_START)
    for number, task in enumerate(in_order, start=1):
        changes.insert(run_steps, _task(meta, number, task))


@fold.on(run.Started)
def started(changes: Changes, meta: EventMeta, event: run.Started) -> None:
    """Set the run to running."""
    change(changes, meta, {"status": "running", "started_at": milliseconds(event.at)})


@fold.on(run.StepCompleted)
def step_completed(changes: Changes, meta: EventMeta, event: run.StepCompleted) -> None:
    """Store the result of a step."""
    values = {
        "provider": event.provider,
        "model": event.model,
        "agent_id": event.agent_id,
        "agent_version": event.agent_version,
        "prompt_sha256": event.prompt_sha256,
        "finish_reason": event.finish_reason,
        "generation_stats": event.generation_stats,
    }
    cost = spent(event)
    changes.update(run_steps, (meta.id, event.step), values | result_of(meta, event), cost)
    if event.output:
        add_output(changes, meta, event.step, event.output)
    if event.step == SYNTHESIS:
        report = {"report_start": event.result[:REPORT_START]} if isinstance(event.result, str) else {}
        change(changes, meta, report, cost)
    else:
        change(changes, meta, add={"completed_steps": 1, **cost})


@fold.on(run.Suspended)
def suspended(changes: Changes, meta: EventMeta, event: run.Suspended) -> None:
    """Suspend the run; its steps in progress become pending."""
    stop_steps(changes, meta, IN_PROGRESS, "pending")
    values = {"suspended_reason": event.reason, "suspended_at": meta.at, "waiting_steps": 0}
    change(changes, meta, values | {"status": "suspended"})


def _task(meta: EventMeta, number: int, task: SubTask) -> dict[str, Any]:
    name = "synthesis" if task.id == SYNTHESIS else task.id
    return new_step(
        meta,
        task.id,
        number,
        id=f"sub-step_{suffix(meta.id)}-{name}",
        description=task.description,
        thought=task.thought,
        action_type=task.action_type,
        name=task.tool_or_prompt.name,
        params=task.tool_or_prompt.params or {},
        dependencies=list(task.dependencies),
    )


def _waiting_run(changes: Changes, meta: EventMeta, values: dict[str, Any]) -> None:
    """Change the run that waits for this plan, if any."""
    waiting = (runs.c.dag_id == meta.id) & runs.c.planned_at.is_(None) & (runs.c.status == "pending")
    changes.execute(update(runs).where(waiting).values(**values, updated_at=meta.at, seq=meta.seq))


def _without_plan(changes: Changes, meta: EventMeta, error: str) -> None:
    _waiting_run(changes, meta, {"status": "failed", "error": error, "ended_at": meta.at})
