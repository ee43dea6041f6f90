"""Executions and their steps as the API shows them.

Like all presenters these make plain dictionaries; the models in `contracts.api` describe the same.
"""

from __future__ import annotations

from contracts.api.fields import iso, tokens
from contracts.core.money import usd_text
from contracts.runtime.blobs import Blobs
from contracts.views import executions, sub_steps
from gateway.views.presenting import Shown, columns, json_of, time_of
from gateway.views.reader import Row
from gateway.views.results import stored_text

EXECUTION_COLUMNS = columns(executions)
STEP_COLUMNS = columns(sub_steps, "step_")

API_STATUS = {"cancelled": "failed"}
"""Statuses of runs that clients know by another name."""


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
        "totalUsage": tokens(row["prompt_tokens"], row["completion_tokens"]),
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
        "usage": tokens(row["step_prompt_tokens"], row["step_completion_tokens"]),
        "costUsd": usd_text(row["step_cost_pico"]),
        "provider": row["step_provider"],
        "model": row["step_model"],
        "agentId": row["step_agent_id"],
        "agentVersion": row["step_agent_version"],
        "finishReason": row["step_finish_reason"],
        "generationStats": json_of(row["step_generation_stats"]),
        "createdAt": iso(row["step_created_at"]),
        "updatedAt": iso(row["step_updated_at"]),
    }
