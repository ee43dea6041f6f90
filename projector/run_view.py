"""Executions' rows and those of their steps."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select, update

from contracts.domain import run
from contracts.domain.plan import SubTask
from contracts.domain.run.steps import SYNTHESIS
from contracts.views import executions, sub_steps
from projector.changes import Changes
from projector.fold import Fact, Fold, milliseconds, spent

fold = Fold()

_IN_PROGRESS = ("running", "waiting")


@fold.on(run.Requested)
def requested(changes: Changes, fact: Fact, event: run.Requested) -> None:
    """A pending execution and all its steps, the synthesis last."""
    tasks = event.job.sub_tasks
    changes.insert(
        executions,
        {
            "id": fact.id,
            "dag_id": event.dag_id,
            "dag_title": event.dag_title,
            "original_request": event.original_request,
            "primary_intent": event.job.intent.primary,
            "trigger": event.trigger,
            "status": "pending",
            "total_tasks": len(tasks),
            "completed_tasks": 0,
            "failed_tasks": 0,
            "waiting_tasks": 0,
            "retry_count": 0,
            "created_at": fact.at,
            "updated_at": fact.at,
            "seq": fact.seq,
        },
    )
    for task in tasks:
        changes.insert(sub_steps, _step_row(fact, task))
    changes.insert(sub_steps, _synthesis_row(fact, event))


@fold.on(run.Started)
def started(changes: Changes, fact: Fact, event: run.Started) -> None:
    """An executor has it."""
    _execution(changes, fact, {"status": "running", "started_at": milliseconds(event.at)})


@fold.on(run.TakenOver)
def taken_over(changes: Changes, fact: Fact, _: run.TakenOver) -> None:
    """Another executor has it; nothing else changes."""
    _execution(changes, fact, {})


@fold.on(run.StepsStarted)
def steps_started(changes: Changes, fact: Fact, event: run.StepsStarted) -> None:
    """These steps run now."""
    for step in event.steps:
        values = {
            "status": "running",
            "started_at": fact.at,
            "retry_at": None,
            "error": None,
            "updated_at": fact.at,
        }
        changes.update(sub_steps, (fact.id, step), values, {"attempt": 1})
    _execution(changes, fact, {}, {"waiting_tasks": -len(event.retried)})


@fold.on(run.StepCompleted)
def step_completed(changes: Changes, fact: Fact, event: run.StepCompleted) -> None:
    """A result, its cost, and one step less to do."""
    values = {
        "status": "completed",
        "completed_at": fact.at,
        "duration_ms": event.duration_ms,
        "result": event.result,
        "output": event.output.model_dump() if event.output else None,
        "error": None,
        "provider": event.provider,
        "model": event.model,
        "agent_id": event.agent_id,
        "agent_version": event.agent_version,
        "prompt_sha256": event.prompt_sha256,
        "finish_reason": event.finish_reason,
        "generation_stats": event.generation_stats,
        "updated_at": fact.at,
    }
    cost = spent(event)
    changes.update(sub_steps, (fact.id, event.step), values, cost)
    completed_tasks = 1 if event.step != SYNTHESIS else None
    _execution(changes, fact, {}, {"completed_tasks": completed_tasks, **cost})


@fold.on(run.StepFailed)
def step_failed(changes: Changes, fact: Fact, event: run.StepFailed) -> None:
    """An error: to be tried again later, or for good. What it cost counts as well."""
    values: dict[str, Any] = {"error": event.error, "duration_ms": event.duration_ms, "updated_at": fact.at}
    if event.retry_at:
        values |= {"status": "waiting", "retry_at": milliseconds(event.retry_at)}
        counts: dict[str, int | None] = {"waiting_tasks": 1}
    else:
        values |= {"status": "failed", "completed_at": fact.at}
        counts = {"failed_tasks": 1} if event.step != SYNTHESIS else {}
    cost = spent(event)
    if event.model is not None:
        values |= {"provider": event.provider, "model": event.model}
    changes.update(sub_steps, (fact.id, event.step), values, cost)
    _execution(changes, fact, {}, {**counts, **cost})


@fold.on(run.Suspended)
def suspended(changes: Changes, fact: Fact, event: run.Suspended) -> None:
    """Nothing more runs until somebody resumes."""
    _reset_steps(changes, fact, _IN_PROGRESS, "pending")
    values = {
        "status": "suspended",
        "suspended_reason": event.reason,
        "suspended_at": fact.at,
        "waiting_tasks": 0,
    }
    _execution(changes, fact, values)


@fold.on(run.Resumed)
def resumed(changes: Changes, fact: Fact, _: run.Resumed) -> None:
    """What failed may run again."""
    _reset_steps(changes, fact, ("failed", *_IN_PROGRESS), "pending", error=None, completed_at=None)
    values = {
        "status": "pending",
        "failed_tasks": 0,
        "waiting_tasks": 0,
        "suspended_reason": None,
        "suspended_at": None,
        "last_retry_at": fact.at,
    }
    _execution(changes, fact, values, {"retry_count": 1})


@fold.on(run.Cancelled)
def cancelled(changes: Changes, fact: Fact, event: run.Cancelled) -> None:
    """Called off; steps in progress have failed."""
    broken_off = (sub_steps.c.execution_id == fact.id) & sub_steps.c.status.in_(_IN_PROGRESS)
    tasks = select(func.count()).where(broken_off, sub_steps.c.task_id != SYNTHESIS).scalar_subquery()
    took = {
        "failed_tasks": executions.c.failed_tasks + tasks,
        "duration_ms": fact.at - func.coalesce(executions.c.started_at, fact.at),
    }
    changes.execute(update(executions).where(executions.c.id == fact.id).values(took))
    ended = {"error": f"cancelled: {event.reason}", "completed_at": fact.at}
    _reset_steps(changes, fact, _IN_PROGRESS, "failed", **ended)
    values = {
        "status": "cancelled",
        "cancelled_reason": event.reason,
        "cancelled_at": fact.at,
        "waiting_tasks": 0,
    }
    _execution(changes, fact, values | {"completed_at": fact.at})


@fold.on(run.Completed)
def completed(changes: Changes, fact: Fact, event: run.Completed) -> None:
    """The end."""
    _execution(
        changes, fact, {"status": "completed", "completed_at": fact.at, "duration_ms": event.duration_ms}
    )


@fold.on(run.Deleted)
def deleted(changes: Changes, fact: Fact, _: run.Deleted) -> None:
    """Gone, with its steps."""
    changes.execute(delete(executions).where(executions.c.id == fact.id))
    changes.execute(delete(sub_steps).where(sub_steps.c.execution_id == fact.id))


def _execution(
    changes: Changes,
    fact: Fact,
    values: dict[str, Any],
    add: dict[str, int | None] | dict[str, int] | None = None,
) -> None:
    changes.update(executions, (fact.id,), {**values, "updated_at": fact.at, "seq": fact.seq}, add)


def _reset_steps(changes: Changes, fact: Fact, statuses: tuple[str, ...], to: str, **values: Any) -> None:
    in_question = (sub_steps.c.execution_id == fact.id) & sub_steps.c.status.in_(statuses)
    values |= {"status": to, "retry_at": None, "updated_at": fact.at}
    changes.execute(update(sub_steps).where(in_question).values(values))


def _step_row(fact: Fact, task: SubTask) -> dict[str, Any]:
    call = task.tool_or_prompt
    return {
        "execution_id": fact.id,
        "task_id": task.id,
        "id": _step_id(fact, task.id),
        "description": task.description,
        "thought": task.thought,
        "action_type": task.action_type,
        "tool_or_prompt_name": call.name,
        "tool_or_prompt_params": call.params or {},
        "dependencies": list(task.dependencies),
        "status": "pending",
        "attempt": 0,
        "created_at": fact.at,
        "updated_at": fact.at,
    }


def _synthesis_row(fact: Fact, event: run.Requested) -> dict[str, Any]:
    return {
        "execution_id": fact.id,
        "task_id": SYNTHESIS,
        "id": _step_id(fact, "synthesis"),
        "description": "Final synthesis of all task results",
        "thought": "Aggregating results into final output",
        "action_type": "inference",
        "tool_or_prompt_name": "__synthesis__",
        "tool_or_prompt_params": {"taskCount": len(event.job.sub_tasks)},
        "dependencies": [task.id for task in event.job.sub_tasks],
        "status": "pending",
        "attempt": 0,
        "created_at": fact.at,
        "updated_at": fact.at,
    }


def _step_id(fact: Fact, task_id: str) -> str:
    return f"sub-step_{fact.id.rpartition('_')[2]}-{task_id}"
