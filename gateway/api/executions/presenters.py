"""Presenters of executions and their steps.

Presenters return plain dictionaries. The models in `contracts.api` describe them.
"""

from __future__ import annotations

from contracts.api.fields import iso, tokens
from contracts.core.money import usd_text
from contracts.runtime.blobs import Blobs
from gateway.views.presenting import JsonRow, json_of, time_of
from gateway.views.reader import Row
from gateway.views.results import stored_text

NO_PLAN = "planning failed: see the DAG"

API_STATUS = {"cancelled": "failed"}
"""Statuses of runs that have another name in the API."""


def execution_row(row: Row, report: str | None) -> JsonRow:
    """Present an execution, from columns that begin with `run_`. `report` is the result of its synthesis."""
    final = report if row["run_status"] == "completed" else None
    return {
        "dagTitle": row["run_dag_title"],
        "id": row["run_id"],
        "dagId": row["run_dag_id"],
        "originalRequest": row["run_request"],
        "primaryIntent": row["run_primary_intent"],
        "status": API_STATUS.get(row["run_status"], row["run_status"]),
        "startedAt": time_of(row["run_started_at"]),
        "completedAt": time_of(row["run_ended_at"]),
        "durationMs": row["run_duration_ms"],
        "totalTasks": row["run_total_steps"],
        "completedTasks": row["run_completed_steps"],
        "failedTasks": row["run_failed_steps"],
        "waitingTasks": row["run_waiting_steps"],
        "finalResult": final,
        "synthesisResult": final,
        "suspendedReason": NO_PLAN if row["run_status"] == "failed" else row["run_suspended_reason"],
        "suspendedAt": time_of(row["run_suspended_at"]),
        "cancelledReason": row["run_cancelled_reason"],
        "cancelledAt": time_of(row["run_cancelled_at"]),
        "outwardCalls": row["run_outward_calls"],
        "approvals": json_of(row["run_approvals"] or "[]"),
        "forkedFrom": row["run_forked_from"],
        "replacedBy": row["run_replaced_by"],
        "retryCount": row["run_resumes"],
        "lastRetryAt": time_of(row["run_last_resumed_at"]),
        "totalUsage": tokens(row["run_prompt_tokens"], row["run_completion_tokens"]),
        "totalCostUsd": usd_text(row["run_cost_pico"]),
        "trigger": "plan" if row["run_own_plan"] else row["run_trigger"],
        "seq": row["run_seq"],
        "createdAt": iso(row["run_created_at"]),
        "updatedAt": iso(row["run_updated_at"]),
    }


async def sub_step_row(row: Row, blobs: Blobs) -> JsonRow:
    """Present a step, from columns that begin with `step_`.

    Raises:
        Unavailable: its result is in the object store, which could not be reached.
    """
    return {
        "id": row["step_id"],
        "executionId": row["step_run_id"],
        "taskId": row["step_step"],
        "description": row["step_description"],
        "thought": row["step_thought"],
        "actionType": row["step_action_type"],
        "toolOrPromptName": row["step_name"],
        "toolOrPromptParams": json_of(row["step_params"]),
        "dependencies": json_of(row["step_dependencies"]),
        "status": row["step_status"],
        "attempt": row["step_attempt"],
        "retryAt": time_of(row["step_retry_at"]),
        "startedAt": time_of(row["step_started_at"]),
        "completedAt": time_of(row["step_completed_at"]),
        "durationMs": row["step_duration_ms"],
        "result": await stored_text(row["step_result"], blobs),
        "inherited": row["step_inherited"],
        "error": row["step_error"],
        "outward": json_of(row["step_outward"]),
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
