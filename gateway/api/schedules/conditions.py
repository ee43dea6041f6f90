"""SQL conditions for schedules that fire."""

from __future__ import annotations

from sqlalchemy import func

from contracts.views import dags, goal_schedules

GOAL_FIRES = goal_schedules.c.active & ~goal_schedules.c.paused
DAG_HAS_SCHEDULE = func.coalesce(dags.c.cron_schedule, "") != ""
DAG_FIRES = DAG_HAS_SCHEDULE & dags.c.schedule_active & ~dags.c.schedule_paused & (dags.c.status != "paused")
