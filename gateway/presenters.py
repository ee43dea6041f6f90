"""Rows of the views as the API shows them. Plain dictionaries: a list of them must cost next to nothing.

The models in `contracts.api` describe the same; the tests hold both to each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import JSON, Label, Table, Text, cast

from contracts.api.fields import iso
from contracts.event import Json
from contracts.money import usd_text
from contracts.runtime.blobs import Blobs
from contracts.views import dags, executions, planning_attempts, sub_steps
from gateway.execution_events import API_STATUS
from gateway.results import stored_text

Row = Mapping[str, Any]
Shown = dict[str, Json]


def columns(table: Table, prefix: str = "") -> list[Label[Any]]:
    """Every column of `table`, JSON as the text it is stored as, to go into answers unparsed."""
    return [
        (cast(column, Text) if isinstance(column.type, JSON) else column).label(prefix + column.name)
        for column in table.columns
    ]


DAG_COLUMNS = columns(dags)
ATTEMPT_COLUMNS = columns(planning_attempts)
EXECUTION_COLUMNS = columns(executions)
STEP_COLUMNS = columns(sub_steps, "step_")


def dag_row(row: Row, attempts: Sequence[Row]) -> Shown:
    """A DAG; `attempts` are its planning attempts in order."""
    cost = usd_text(row["planning_cost_pico"])
    return {
        "id": row["id"],
        "status": row["status"],
        "result": json_of(row["result"]),
        "usage": json_of(row["usage"]),
        "generationStats": json_of(row["generation_stats"]),
        "attempts": row["attempts"],
        "params": json_of(row["params"]),
        "agentName": row["agent_name"],
        "dagTitle": row["dag_title"],
        "clarificationQuery": row["clarification_query"],
        "error": json_of(row["error"]),
        "cronSchedule": row["cron_schedule"],
        "scheduleActive": bool(row["schedule_active"]),
        "overlap": row["overlap"],
        "catchUpSeconds": row["catch_up_s"],
        "jitterSeconds": row["jitter_s"],
        "lastRunAt": time_of(row["last_run_at"]),
        "timezone": row["timezone"],
        "createdAt": iso(row["created_at"]),
        "updatedAt": iso(row["updated_at"]),
        "planningTotalUsage": usage_of(row["planning_prompt_tokens"], row["planning_completion_tokens"]),
        "planningTotalCostUsd": cost or ("0" if attempts else None),
        "planningAttempts": [_attempt(attempt) for attempt in attempts] or None,
    }


def execution_row(row: Row, report: str | None) -> Shown:
    """An execution; `report` is the result of its synthesis."""
    final = report if row["status"] == "completed" else None
    return {
        "dagTitle": row["dag_title"],
        "id": row["id"],
        "dagId": row["dag_id"],
        "originalRequest": row["original_request"],
        "primaryIntent": row["primary_intent"],
        "status": API_STATUS.get(row["status"], row["status"]),
        "startedAt": time_of(row["started_at"]),
        "completedAt": time_of(row["completed_at"]),
        "durationMs": row["duration_ms"],
        "totalTasks": row["total_tasks"],
        "completedTasks": row["completed_tasks"],
        "failedTasks": row["failed_tasks"],
        "waitingTasks": row["waiting_tasks"],
        "finalResult": final,
        "synthesisResult": final,
        "suspendedReason": row["suspended_reason"],
        "suspendedAt": time_of(row["suspended_at"]),
        "cancelledReason": row["cancelled_reason"],
        "cancelledAt": time_of(row["cancelled_at"]),
        "retryCount": row["retry_count"],
        "lastRetryAt": time_of(row["last_retry_at"]),
        "totalUsage": usage_of(row["prompt_tokens"], row["completion_tokens"]),
        "totalCostUsd": usd_text(row["cost_pico"]),
        "trigger": row["trigger"],
        "seq": row["seq"],
        "createdAt": iso(row["created_at"]),
        "updatedAt": iso(row["updated_at"]),
    }


async def sub_step_row(row: Row, blobs: Blobs) -> Shown:
    """A step, from columns that begin with `step_`.

    Raises:
        Unavailable: its result is in the object store, which could not be reached.
    """
    return {
        "id": row["step_id"],
        "executionId": row["step_execution_id"],
        "taskId": row["step_task_id"],
        "description": row["step_description"],
        "thought": row["step_thought"],
        "actionType": row["step_action_type"],
        "toolOrPromptName": row["step_tool_or_prompt_name"],
        "toolOrPromptParams": json_of(row["step_tool_or_prompt_params"]),
        "dependencies": json_of(row["step_dependencies"]),
        "status": row["step_status"],
        "attempt": row["step_attempt"],
        "retryAt": time_of(row["step_retry_at"]),
        "startedAt": time_of(row["step_started_at"]),
        "completedAt": time_of(row["step_completed_at"]),
        "durationMs": row["step_duration_ms"],
        "result": await stored_text(row["step_result"], blobs),
        "error": row["step_error"],
        "usage": usage_of(row["step_prompt_tokens"], row["step_completion_tokens"]),
        "costUsd": row["step_cost_usd"],
        "provider": row["step_provider"],
        "model": row["step_model"],
        "agentId": row["step_agent_id"],
        "generationStats": json_of(row["step_generation_stats"]),
        "createdAt": iso(row["step_created_at"]),
        "updatedAt": iso(row["step_updated_at"]),
    }


def pagination(limit: int, offset: int, count: int, total: int) -> Shown:
    """Which part of a list was shown."""
    return {"limit": limit, "offset": offset, "count": count, "total": total}


def _attempt(row: Row) -> Shown:
    optional = {
        "usage": json_of(row["usage"]),
        "costUsd": row["cost_usd"],
        "errorMessage": row["error_message"],
        "generationStats": json_of(row["generation_stats"]),
    }
    given = {key: value for key, value in optional.items() if value is not None}
    return {"attempt": row["attempt"], "reason": row["reason"], **given}


def json_of(stored: str | None) -> Json:
    """A value that the views hold as JSON, to go into an answer unparsed."""
    return None if stored is None else orjson.Fragment(stored)


def time_of(ms: int | None) -> str | None:
    """Milliseconds since 1970 as ISO 8601."""
    return None if ms is None else iso(ms)


def usage_of(prompt: int | None, completion: int | None) -> Shown | None:
    """Token counts, null where nothing is known."""
    if prompt is None and completion is None:
        return None
    prompt, completion = prompt or 0, completion or 0
    return {"promptTokens": prompt, "completionTokens": completion, "totalTokens": prompt + completion}
