"""Presenters of runs of goals, their steps and outputs.

Presenters return plain dictionaries. The models in `contracts.api` describe them.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from contracts.api.fields import iso, tokens
from contracts.core.event import Json
from contracts.core.money import usd_text
from contracts.domain.prompts.observations import Observed, failure, observation, shown_call
from contracts.domain.run.steps import SYNTHESIS
from contracts.views import outputs
from gateway.api.goals.presenters import goal_row
from gateway.views.presenting import JsonRow, columns, json_of, time_of
from gateway.views.reader import Row

OUTPUT_COLUMNS = columns(outputs)

RUN_STATUS = {"cancelled": "failed", "suspended": "failed", "waiting": "running"}
"""Statuses of runs that have another name in the API."""


def run_row(row: Row, memory: Json) -> JsonRow:
    """Present a run and its goal, from columns that begin with `run_` and `goal_`."""
    ended_at = time_of(row["run_ended_at"] or row["run_suspended_at"])
    return {
        "id": row["run_id"],
        "goalId": row["run_goal_id"],
        "status": RUN_STATUS.get(row["run_status"], row["run_status"]),
        "startedAt": time_of(row["run_started_at"]),
        "endedAt": ended_at,
        "completedAt": ended_at,
        "workingMemory": memory,
        "stepBudget": row["run_total_steps"],
        "stepsExecuted": row["run_completed_steps"],
        "failedCalls": row["run_failed_calls"],
        "error": _error(row),
        "outcomeReason": row["run_outcome_reason"],
        "strategy": row["run_strategy"],
        "dagId": row["run_dag_id"],
        "trigger": row["run_trigger"],
        "scheduleId": row["run_schedule_id"],
        "agentId": row["run_agent_id"],
        "agentName": row["run_agent_name"],
        "agentVersion": row["run_agent_version"],
        "provider": row["run_provider"],
        "model": row["run_model"],
        "remarks": json_of(row["run_remarks"] or "[]"),
        "cancelledReason": row["run_cancelled_reason"],
        **_policy_and_links(row),
        "totalUsage": tokens(
            _sum(row["run_prompt_tokens"], row["planning_prompt_tokens"]),
            _sum(row["run_completion_tokens"], row["planning_completion_tokens"]),
        ),
        "totalCostUsd": usd_text(_sum(row["run_cost_pico"], row["planning_cost_pico"])),
        "otherCostUsd": usd_text(_sum(row["run_other_cost_pico"], row["planning_cost_pico"])),
        "seq": row["run_seq"],
        "createdAt": iso(row["run_created_at"]),
        "updatedAt": iso(row["run_updated_at"]),
        "goal": goal_row(row),
    }


def _policy_and_links(row: Row) -> JsonRow:
    return {
        "outwardCalls": row["run_outward_calls"],
        "approvals": json_of(row["run_approvals"] or "[]"),
        "forkedFrom": row["run_forked_from"],
        "replacedBy": row["run_replaced_by"],
        "retryCount": row["run_resumes"],
    }


def turn_row(row: Row, calls: Sequence[Row], observed: Sequence[Observed]) -> JsonRow:
    """Present a turn of an agent, from columns that begin with `step_`.

    `calls`: its tool calls by position. `observed`: the calls that have ended.
    """
    shown, text = shown_call(observed), observation(observed)
    error = failure(observed) if len(observed) == len(calls) else None
    thought, is_finished = row["step_thought"], row["step_finish_reason"] == "stop"
    durations = [call["step_duration_ms"] or 0 for call in calls]
    return {
        "id": row["step_id"],
        "runId": row["step_run_id"],
        "stepNo": row["step_number"],
        "stepNumber": row["step_number"],
        "thought": thought,
        "toolName": shown.tool if shown else None,
        "toolInput": shown.arguments if shown else None,
        "observation": text,
        "durationMs": max(durations, default=0),
        "thoughtMs": row["step_duration_ms"],
        "error": error,
        "type": "error" if error else "tool" if calls else "result" if is_finished else "thinking",
        "content": error or text or thought,
        "toolCalls": [_call(call) for call in calls],
        "inherited": row["step_inherited"],
        "finishReason": row["step_finish_reason"],
        "provider": row["step_provider"],
        "model": row["step_model"],
        "usage": tokens(row["step_prompt_tokens"], row["step_completion_tokens"]),
        "costUsd": usd_text(row["step_cost_pico"]),
        "createdAt": iso(row["step_created_at"]),
    }


def task_row(row: Row, result: str | None) -> JsonRow:
    """Present a started step of a plan, from columns that begin with `step_`."""
    is_tool, is_report = row["step_action_type"] == "tool", row["step_step"] == SYNTHESIS
    failed = row["step_status"] == "failed"
    thought = row["step_description"]
    return {
        "id": row["step_id"],
        "runId": row["step_run_id"],
        "stepNo": row["step_number"],
        "stepNumber": row["step_number"],
        "thought": thought,
        "toolName": row["step_name"] if is_tool else None,
        "toolInput": json_of(row["step_params"]) if is_tool else None,
        "observation": result,
        "durationMs": row["step_duration_ms"] or 0,
        "thoughtMs": None,
        "error": row["step_error"],
        "type": "error" if failed else "tool" if is_tool else "result" if is_report else "thinking",
        "content": (row["step_error"] if failed else result) or thought,
        "toolCalls": [],
        "inherited": row["step_inherited"],
        "finishReason": row["step_finish_reason"],
        "provider": row["step_provider"],
        "model": row["step_model"],
        "usage": tokens(row["step_prompt_tokens"], row["step_completion_tokens"]),
        "costUsd": usd_text(row["step_cost_pico"]),
        "createdAt": iso(row["step_started_at"] or row["step_created_at"]),
    }


def observed_call(row: Row, result: Json) -> Observed | None:
    """Return a tool call that has ended, from columns that begin with `step_`; None for other calls."""
    if row["step_status"] not in {"completed", "failed"}:
        return None
    return Observed(
        turn=row["step_number"],
        position=row["step_position"],
        tool=row["step_name"],
        arguments=orjson.loads(row["step_params"]),
        result=result,
        error=row["step_error"],
    )


def output_row(row: Row) -> JsonRow:
    """Present an output of a run."""
    return {
        "id": row["id"],
        "runId": row["run_id"],
        "kind": row["kind"],
        "pathOrPayload": row["path_or_payload"],
        "inherited": row["inherited"],
        "createdAt": iso(row["created_at"]),
    }


def _sum(own: int | None, planning: int | None) -> int | None:
    """Add the usage of a run and of its planning. None if both are unknown."""
    return None if own is None and planning is None else (own or 0) + (planning or 0)


def _error(row: Row) -> str | None:
    """Return why a run did not complete, or which tool calls failed in a completed run."""
    if row["run_cancelled_reason"] is not None:
        return f"cancelled: {row['run_cancelled_reason']}"
    failed = row["run_failed_calls"]
    if row["run_status"] == "completed" and failed:
        calls = "1 tool call failed" if failed == 1 else f"{failed} tool calls failed, the last one"
        return f"{calls}: {row['run_call_error']}"
    error: str | None = row["run_error"] or row["run_suspended_reason"]
    return error


def _call(row: Row) -> JsonRow:
    return {
        "id": row["step_id"],
        "toolName": row["step_name"],
        "toolInput": json_of(row["step_params"]),
        "status": row["step_status"],
        "error": row["step_error"],
        "durationMs": row["step_duration_ms"],
        "outward": json_of(row["step_outward"]),
        "inherited": row["step_inherited"],
    }
