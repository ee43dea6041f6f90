"""Presenters of goals, their schedules and their agents.

Presenters return plain dictionaries. The models in `contracts.api` describe them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import orjson

from contracts.api.fields import iso
from contracts.views import agents, goal_schedules, goals
from gateway.views.presenting import JsonRow, columns, time_of
from gateway.views.reader import Row

GOAL_COLUMNS = columns(goals, "goal_")
SCHEDULE_COLUMNS = columns(goal_schedules, "schedule_")
AGENT_COLUMNS = columns(agents, "agent_")


def goal_row(row: Row) -> JsonRow:
    """Present a goal, from columns that begin with `goal_`."""
    return {
        "id": row["goal_id"],
        "objective": row["goal_objective"],
        "params": orjson.Fragment(row["goal_params"]),
        "webhookUrl": row["goal_webhook_url"],
        "webhookEvents": orjson.Fragment(row["goal_webhook_events"]),
        "agentId": row["goal_agent_id"],
        "status": row["goal_status"],
        "createdAt": iso(row["goal_created_at"]),
        "updatedAt": iso(row["goal_updated_at"]),
    }


def goals_with_schedules(rows: Sequence[Row], *, agents: bool) -> list[JsonRow]:
    """Present goals with their schedules, and with their agents if `agents`. Rows must be grouped by goal."""
    shown = []
    for _, some in groupby(rows, key=lambda row: row["goal_id"]):
        first, *others = some
        schedules = [schedule_row(row) for row in (first, *others) if row["schedule_id"]]
        agent = {"agent": _agent(first)} if agents else {}
        shown.append({**goal_row(first), "schedules": schedules, **agent})
    return shown


def schedule_row(row: Row) -> JsonRow:
    """Present a schedule of a goal, from columns that begin with `schedule_`."""
    return {
        "id": row["schedule_id"],
        "goalId": row["schedule_goal_id"],
        "cronExpr": row["schedule_cron_expr"],
        "timezone": row["schedule_timezone"],
        "active": bool(row["schedule_active"] and not row["schedule_paused"]),
        "paused": bool(row["schedule_paused"]),
        "overlap": row["schedule_overlap"],
        "catchUpSeconds": row["schedule_catch_up_s"],
        "jitterSeconds": row["schedule_jitter_s"],
        "lastRunAt": time_of(row["schedule_last_run_at"]),
        "createdAt": iso(row["schedule_created_at"]),
        "updatedAt": iso(row["schedule_updated_at"]),
    }


def _agent(row: Row) -> JsonRow | None:
    """Present an agent, from columns that begin with `agent_`."""
    if row["agent_id"] is None:
        return None
    return {
        "id": row["agent_id"],
        "name": row["agent_name"],
        "version": row["agent_version"],
        "promptTemplate": row["agent_prompt_template"],
        "provider": row["agent_provider"],
        "model": row["agent_model"],
        "active": bool(row["agent_active"]),
        "metadata": orjson.Fragment(row["agent_metadata"] or "{}"),
        "createdAt": iso(row["agent_created_at"]),
        "updatedAt": iso(row["agent_updated_at"]),
    }
