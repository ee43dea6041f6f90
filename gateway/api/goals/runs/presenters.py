"""Runs of goals and what belongs to them as the API shows them, however a goal is pursued.

Like all presenters these make plain dictionaries; the models in `contracts.api` describe the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from contracts.api.fields import iso, tokens
from contracts.core.event import Json
from contracts.core.money import usd_text
from contracts.domain.prompts.observations import Observed, failure, observation, shown_call
from contracts.domain.run.steps import SYNTHESIS
from contracts.views import dags, executions, goal_calls, goal_runs, goal_steps, outputs, sub_steps
from gateway.api.goals.presenters import goal_row
from gateway.views.presenting import Shown, columns, json_of, time_of
from gateway.views.reader import Row

RUN_COLUMNS = columns(goal_runs, "run_")
PLAN_COLUMNS = columns(executions, "plan_")
"""Of the execution that a run by a plan is."""
PLANNING_COLUMNS = (
    dags.c.planning_prompt_tokens,
    dags.c.planning_completion_tokens,
    dags.c.planning_cost_pico,
)
"""What it took to make the plan of such a run."""
TURN_COLUMNS = columns(goal_steps, "turn_")
CALL_COLUMNS = columns(goal_calls, "call_")
TASK_COLUMNS = columns(sub_steps, "task_")
OUTPUT_COLUMNS = columns(outputs)

RUN_STATUS = {"cancelled": "failed", "suspended": "failed"}
"""Statuses of runs that clients know by another name."""


def run_row(row: Row, memory: Json) -> Shown:
    """A run and its goal, from columns that begin with `run_`, `plan_` and `goal_`."""
    part = _by_plan(row) if row["plan_id"] else _by_itself(row)
    ended_at = time_of(part["ended_at"])
    reason = part["cancelled_reason"]
    return {
        "id": row["run_id"],
        "goalId": row["run_goal_id"],
        "status": RUN_STATUS.get(part["status"], part["status"]),
        "startedAt": time_of(part["started_at"]),
        "endedAt": ended_at,
        "completedAt": ended_at,
        "workingMemory": memory,
        "stepBudget": part["budget"] or 0,
        "stepsExecuted": part["executed"],
        "error": part["error"] if reason is None else f"cancelled: {reason}",
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
        "cancelledReason": reason,
        "totalUsage": tokens(
            _sum(part["prompt_tokens"], row["planning_prompt_tokens"]),
            _sum(part["completion_tokens"], row["planning_completion_tokens"]),
        ),
        "totalCostUsd": usd_text(_sum(part["cost_pico"], row["planning_cost_pico"])),
        "otherCostUsd": usd_text(_sum(part["other_cost_pico"], row["planning_cost_pico"])),
        "seq": part["seq"],
        "createdAt": iso(row["run_created_at"]),
        "updatedAt": iso(part["updated_at"]),
        "goal": goal_row(row),
    }


def turn_row(row: Row, calls: Sequence[Row], observed: Sequence[Observed]) -> Shown:
    """A turn of an agent, from columns that begin with `turn_`.

    `calls`: those it made, by position, from columns that begin with `call_`; `observed`: those of them that
    have been answered.
    """
    shown, text = shown_call(observed), observation(observed)
    error = failure(observed) if len(observed) == len(calls) else None
    thought, says_done = row["turn_thought"], row["turn_finish_reason"] == "stop"
    durations = [call["call_duration_ms"] or 0 for call in calls]
    return {
        "id": row["turn_id"],
        "runId": row["turn_run_id"],
        "stepNo": row["turn_step_no"],
        "stepNumber": row["turn_step_no"],
        "thought": thought,
        "toolName": shown.tool if shown else None,
        "toolInput": shown.arguments if shown else None,
        "observation": text,
        "durationMs": max(durations, default=0),
        "thoughtMs": row["turn_duration_ms"],
        "error": error,
        "type": "error" if error else "tool" if calls else "result" if says_done else "thinking",
        "content": error or text or thought,
        "toolCalls": [_call(call) for call in calls],
        "finishReason": row["turn_finish_reason"],
        "provider": row["turn_provider"],
        "model": row["turn_model"],
        "usage": tokens(row["turn_prompt_tokens"], row["turn_completion_tokens"]),
        "costUsd": row["turn_cost_usd"],
        "createdAt": iso(row["turn_created_at"]),
    }


def task_row(row: Row, number: int, result: str | None) -> Shown:
    """A step of a plan that has been started, from columns that begin with `task_`."""
    is_tool, is_report = row["task_action_type"] == "tool", row["task_task_id"] == SYNTHESIS
    failed = row["task_status"] == "failed"
    thought = row["task_description"]
    return {
        "id": row["task_id"],
        "runId": row["task_execution_id"],
        "stepNo": number,
        "stepNumber": number,
        "thought": thought,
        "toolName": row["task_tool_or_prompt_name"] if is_tool else None,
        "toolInput": json_of(row["task_tool_or_prompt_params"]) if is_tool else None,
        "observation": result,
        "durationMs": row["task_duration_ms"] or 0,
        "thoughtMs": None,
        "error": row["task_error"],
        "type": "error" if failed else "tool" if is_tool else "result" if is_report else "thinking",
        "content": (row["task_error"] if failed else result) or thought,
        "toolCalls": [],
        "finishReason": row["task_finish_reason"],
        "provider": row["task_provider"],
        "model": row["task_model"],
        "usage": tokens(row["task_prompt_tokens"], row["task_completion_tokens"]),
        "costUsd": usd_text(row["task_cost_pico"]),
        "createdAt": iso(row["task_started_at"] or row["task_created_at"]),
    }


def observed_call(row: Row, result: Json) -> Observed | None:
    """A tool call that has its answer, from columns that begin with `call_`; None for one that has not."""
    if row["call_status"] not in {"completed", "failed"}:
        return None
    return Observed(
        turn=row["call_step_no"],
        position=row["call_position"],
        tool=row["call_tool"],
        arguments=orjson.loads(row["call_arguments"]),
        result=result,
        error=row["call_error"],
    )


def output_row(row: Row) -> Shown:
    """Something that a run has left outside."""
    return {
        "id": row["id"],
        "runId": row["run_id"],
        "kind": row["kind"],
        "pathOrPayload": row["path_or_payload"],
        "createdAt": iso(row["created_at"]),
    }


def _sum(own: int | None, planning: int | None) -> int | None:
    """What a run took with the making of its plan; None where nothing is known."""
    return None if own is None and planning is None else (own or 0) + (planning or 0)


def _by_itself(row: Row) -> dict[str, Any]:
    """How a run stands that an agent pursues, or whose plan is not made yet, or never was."""
    return {
        "status": row["run_status"],
        "started_at": row["run_started_at"],
        "ended_at": row["run_ended_at"],
        "budget": row["run_step_budget"],
        "executed": row["run_steps_executed"],
        "error": row["run_error"],
        "cancelled_reason": row["run_cancelled_reason"],
        "prompt_tokens": row["run_prompt_tokens"],
        "completion_tokens": row["run_completion_tokens"],
        "cost_pico": row["run_cost_pico"],
        "other_cost_pico": row["run_other_cost_pico"],
        "seq": row["run_seq"],
        "updated_at": row["run_updated_at"],
    }


def _by_plan(row: Row) -> dict[str, Any]:
    """How the execution stands that a run is."""
    return {
        "status": row["plan_status"],
        "started_at": row["plan_started_at"],
        "ended_at": row["plan_completed_at"] or row["plan_suspended_at"],
        "budget": row["plan_total_tasks"],
        "executed": row["plan_completed_tasks"],
        "error": row["plan_suspended_reason"],
        "cancelled_reason": row["plan_cancelled_reason"],
        "prompt_tokens": row["plan_prompt_tokens"],
        "completion_tokens": row["plan_completion_tokens"],
        "cost_pico": row["plan_cost_pico"],
        "other_cost_pico": None,
        "seq": row["plan_seq"],
        "updated_at": row["plan_updated_at"],
    }


def _call(row: Row) -> Shown:
    return {
        "id": row["call_call_id"],
        "toolName": row["call_tool"],
        "toolInput": json_of(row["call_arguments"]),
        "status": row["call_status"],
        "error": row["call_error"],
        "durationMs": row["call_duration_ms"],
    }
