"""Presenters of DAGs and their planning attempts.

Presenters return plain dictionaries. The models in `contracts.api` describe them.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.api.fields import iso, tokens
from contracts.core.money import usd_text
from contracts.views import dags, planning_attempts
from gateway.views.presenting import JsonRow, columns, json_of, time_of
from gateway.views.reader import Row

DAG_COLUMNS = columns(dags)
ATTEMPT_COLUMNS = columns(planning_attempts)


def dag_row(row: Row, attempts: Sequence[Row]) -> JsonRow:
    """Present a DAG. `attempts` are its planning attempts in order."""
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
        "planningTotalUsage": tokens(row["planning_prompt_tokens"], row["planning_completion_tokens"]),
        "planningTotalCostUsd": cost or ("0" if attempts else None),
        "planningAttempts": [_attempt(attempt) for attempt in attempts] or None,
    }


def _attempt(row: Row) -> JsonRow:
    optional = {
        "usage": json_of(row["usage"]),
        "costUsd": row["cost_usd"],
        "errorMessage": row["error_message"],
        "generationStats": json_of(row["generation_stats"]),
    }
    given = {key: value for key, value in optional.items() if value is not None}
    return {"attempt": row["attempt"], "reason": row["reason"], **given}
