"""Folds events of DAGs and their planning attempts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, delete, func, update

from contracts.api.fields import tokens_of
from contracts.core.event import Json
from contracts.domain import dag
from contracts.domain.schedule.schedule import Schedule
from contracts.views import dags, planning_attempts, schedule_ticks
from projector.changes import Changes
from projector.fold import EventMeta, Fold, spent

fold = Fold()


@fold.on(dag.Requested)
def requested(changes: Changes, meta: EventMeta, event: dag.Requested) -> None:
    """Insert a DAG that has no plan yet."""
    params = {
        "goalText": event.goal_text,
        "agentName": event.agent_name,
        "provider": event.provider,
        "model": event.model,
        "temperature": event.temperature,
        "max_tokens": event.max_tokens,
        "seed": event.seed,
    }
    row = _new_row(
        meta, phase="requested", status="planning", goal_text=event.goal_text, agent_name=event.agent_name
    )
    row["params"] = {name: value for name, value in params.items() if value is not None}
    changes.insert(dags, row | _schedule(event.schedule))


@fold.on(dag.Imported)
def imported(changes: Changes, meta: EventMeta, event: dag.Imported) -> None:
    """Insert a DAG with a plan that a client supplied."""
    row = _new_row(
        meta, phase="planned", status="success", goal_text=event.job.original_request, agent_name=None
    )
    changes.insert(dags, row | _plan(event.job.as_json()) | {"dag_title": event.title})


@fold.on(dag.AttemptStarted)
def attempt_started(changes: Changes, meta: EventMeta, _: dag.AttemptStarted) -> None:
    """Note that a planner has taken the DAG."""
    changes.update(dags, (meta.id,), {"phase": "planning", "updated_at": meta.at})


@fold.on(dag.AttemptMade)
def attempt_made(changes: Changes, meta: EventMeta, event: dag.AttemptMade) -> None:
    """Insert a planning attempt and add its cost to the DAG."""
    is_title = event.reason == dag.TITLE_ATTEMPT
    usage = tokens_of(event.usage)
    values: dict[str, Any] = {"phase": "planning", "updated_at": meta.at}
    if not is_title:
        values |= {"usage": usage, "generation_stats": event.generation_stats}
    add = {
        "attempts": 0 if is_title else 1,
        **{f"planning_{name}": more for name, more in spent(event).items()},
    }
    changes.update(dags, (meta.id,), values, add)
    changes.insert(
        planning_attempts,
        {
            "dag_id": meta.id,
            "version": meta.version,
            "attempt": event.attempt,
            "reason": event.reason,
            "usage": usage,
            "cost_usd": event.cost_usd,
            "error_message": event.error,
            "generation_stats": event.generation_stats,
        },
    )


@fold.on(dag.Planned)
def planned(changes: Changes, meta: EventMeta, event: dag.Planned) -> None:
    """Store the plan."""
    values = {
        "phase": "planned",
        "status": "success",
        "clarification_query": None,
        **_plan(event.job.as_json()),
    }
    if event.title is not None:
        values["dag_title"] = event.title
    changes.update(dags, (meta.id,), values | {"updated_at": meta.at})


@fold.on(dag.ClarificationAsked)
def clarification_asked(changes: Changes, meta: EventMeta, event: dag.ClarificationAsked) -> None:
    """Store the model's question to the user."""
    values = {"phase": "clarification", "status": "pending", "clarification_query": event.query}
    changes.update(dags, (meta.id,), values | _plan(event.job.as_json()) | {"updated_at": meta.at})


@fold.on(dag.Clarified)
def clarified(changes: Changes, meta: EventMeta, event: dag.Clarified) -> None:
    """Append the answer to the goal and continue planning."""
    changes.update(dags, (meta.id,), {"phase": "requested", "status": "planning", "updated_at": meta.at})
    asked = func.json_extract(dags.c.params, "$.goalText")
    answered = func.json_set(dags.c.params, "$.goalText", asked + event.addition)
    goal = {
        "goal_text": dags.c.goal_text + event.addition,
        "params": case((asked.is_not(None), answered), else_=dags.c.params),
    }
    changes.execute(update(dags).where(dags.c.id == meta.id).values(goal))


@fold.on(dag.Rejected)
def rejected(changes: Changes, meta: EventMeta, event: dag.Rejected) -> None:
    """Set the DAG to failed and store the error."""
    error = {"httpStatus": event.http_status, "error": event.error, **event.details}
    values = {"phase": "rejected", "status": "failed", "error": error, "error_text": event.error}
    changes.update(dags, (meta.id,), values | {"updated_at": meta.at})


@fold.on(dag.Updated)
def updated(changes: Changes, meta: EventMeta, event: dag.Updated) -> None:
    """Change the given fields."""
    given = {"status": event.label, "params": event.params, "dag_title": event.title}
    values = {name: value for name, value in given.items() if value is not None}
    if event.job is not None:
        values |= _plan(event.job)
    changes.update(dags, (meta.id,), values | {"updated_at": meta.at})


@fold.on(dag.ScheduleSet)
def schedule_set(changes: Changes, meta: EventMeta, event: dag.ScheduleSet) -> None:
    """Replace the schedule."""
    changes.update(dags, (meta.id,), _schedule(event.schedule) | {"updated_at": meta.at})


@fold.on(dag.Deleted)
def deleted(changes: Changes, meta: EventMeta, _: dag.Deleted) -> None:
    """Delete the DAG, its planning attempts and its ticks."""
    changes.execute(delete(dags).where(dags.c.id == meta.id))
    changes.execute(delete(planning_attempts).where(planning_attempts.c.dag_id == meta.id))
    changes.execute(delete(schedule_ticks).where(schedule_ticks.c.schedule_id == meta.id))


def _new_row(meta: EventMeta, **values: Any) -> dict[str, Any]:
    return {
        "id": meta.id,
        "attempts": 0,
        "schedule_active": False,
        "schedule_paused": False,
        "timezone": "UTC",
        "created_at": meta.at,
        "updated_at": meta.at,
        "first_seq": meta.seq,
        **values,
    }


def _plan(job: Json) -> dict[str, Any]:
    return {"result": job, "tools": _tools(job)}


def _tools(job: Json) -> list[str]:
    """Return the names of the tools of a plan. Plans that clients have changed may have any shape."""
    match job:
        case {"sub_tasks": [*tasks]}:
            return sorted({name for task in tasks if (name := _tool(task))})
        case _:
            return []


def _tool(task: Json) -> str | None:
    match task:
        case {"action_type": "tool", "tool_or_prompt": {"name": str(name)}}:
            return name
        case _:
            return None


def _schedule(wanted: Schedule | None) -> dict[str, Any]:
    if wanted is None:
        gone = ("cron_schedule", "overlap", "catch_up_s", "jitter_s")
        return {**dict.fromkeys(gone), "schedule_active": False, "schedule_paused": False}
    return {
        "cron_schedule": wanted.cron or None,
        "timezone": wanted.timezone,
        "schedule_active": wanted.active,
        "schedule_paused": wanted.paused,
        "overlap": wanted.overlap.value if wanted.cron else None,
        "catch_up_s": wanted.catch_up_s if wanted.cron else None,
        "jitter_s": wanted.jitter_s if wanted.cron else None,
    }
