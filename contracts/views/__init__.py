"""The tables every read is answered from: written by the projector, read by the gateway, disposable.

Times are integers, milliseconds since 1970 UTC. Money is an integer of 10⁻¹² US dollars: sums are exact.
Raise VIEWS_VERSION whenever a table or the fold into it changes: the projector then builds them anew.
"""

from __future__ import annotations

from contracts.views.agent import agents
from contracts.views.base import NEXT, SUSPECT, VIEWS_VERSION, checkpoint, metadata
from contracts.views.dag import dags, planning_attempts
from contracts.views.execution import executions, sub_steps
from contracts.views.goal import goal_schedules, goals, memories
from contracts.views.goal_run import goal_calls, goal_runs, goal_steps, outputs
from contracts.views.schedule import schedule_ticks
from contracts.views.task import tasks

__all__ = [
    "NEXT",
    "SUSPECT",
    "VIEWS_VERSION",
    "metadata",
    "checkpoint",
    "agents",
    "dags",
    "planning_attempts",
    "executions",
    "sub_steps",
    "goals",
    "goal_schedules",
    "memories",
    "goal_runs",
    "goal_steps",
    "goal_calls",
    "outputs",
    "schedule_ticks",
    "tasks",
]
