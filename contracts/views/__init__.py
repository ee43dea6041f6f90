"""The tables of the read views: the projector writes them, the gateway reads them, and they can be rebuilt.

Times are milliseconds since 1970 UTC, as integers. Money is an integer of 10⁻¹² US dollars, so sums are
exact. Raise VIEWS_VERSION whenever a table or the fold into it changes: the projector then rebuilds all
tables.
"""

from __future__ import annotations

from contracts.views.agent import agents
from contracts.views.ask import asks
from contracts.views.base import NEXT, SUSPECT, VIEWS_VERSION, checkpoint, metadata
from contracts.views.dag import HAS_SCHEDULE, IS_ANSWERED, dags, dags_text, planning_attempts
from contracts.views.goal import goal_schedules, goals, goals_text, memories
from contracts.views.run import (
    EXECUTION_STATUS,
    GOAL_RUN_STATUS,
    IS_EXECUTION,
    IS_GOAL_RUN,
    IS_TOOL_CALL,
    IS_UNENDED,
    outputs,
    run_steps,
    runs,
    runs_text,
)
from contracts.views.schedule import schedule_ticks
from contracts.views.task import tasks
from contracts.views.totals import HOUR_MS, hourly_totals, totals

__all__ = [
    "NEXT",
    "SUSPECT",
    "VIEWS_VERSION",
    "metadata",
    "checkpoint",
    "agents",
    "asks",
    "dags",
    "dags_text",
    "planning_attempts",
    "HAS_SCHEDULE",
    "IS_ANSWERED",
    "runs",
    "runs_text",
    "run_steps",
    "outputs",
    "EXECUTION_STATUS",
    "GOAL_RUN_STATUS",
    "IS_EXECUTION",
    "IS_GOAL_RUN",
    "IS_TOOL_CALL",
    "IS_UNENDED",
    "totals",
    "hourly_totals",
    "HOUR_MS",
    "goals",
    "goals_text",
    "goal_schedules",
    "memories",
    "schedule_ticks",
    "tasks",
]
