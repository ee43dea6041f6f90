"""Goals, their schedules, and their memories."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, Table, Text

from contracts.views.base import metadata
from contracts.views.search import searchable

goals = Table(
    "goals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("objective", Text, nullable=False),
    Column("params", JSON(none_as_null=True), nullable=False),
    Column("webhook_url", Text),
    Column("webhook_events", JSON(none_as_null=True), nullable=False),
    Column("agent_id", Text),
    Column("status", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Index("goals_by_first_seq", "first_seq"),
    Index("goals_newest", "created_at", "id", "agent_id", "first_seq"),
    Index("goals_newest_by_status", "status", "created_at", "id"),
)
"""`params`: the parameters as the client sent them, in camelCase. `first_seq`: the stream sequence of the
first commit. `goals_newest` ends with columns that filters test, which are so read without the rows."""

goals_text = searchable("goals_text", goals, "id", "objective")
"""The full-text index of goals."""

goal_schedules = Table(
    "goal_schedules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("goal_id", Text, nullable=False),
    Column("cron_expr", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("overlap", Text, nullable=False),
    Column("catch_up_s", Integer),
    Column("jitter_s", Integer, nullable=False),
    Column("last_run_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("goal_schedules_by_goal", "goal_id", "created_at", "id"),
)

memories = Table(
    "memories",
    metadata,
    Column("id", Text, primary_key=True),
    Column("goal_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("memories_by_goal", "goal_id", "created_at", "id"),
)
"""Memories of goals: notes, facts and artifacts."""
