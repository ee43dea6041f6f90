"""Single tasks."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from contracts.views.base import metadata

tasks = Table(
    "tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("agent_id", Text, nullable=False),
    Column("agent_name", Text, nullable=False),
    Column("agent_version", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("provider", Text),
    Column("model", Text),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cost_pico", BigInteger),
    Column("duration_ms", BigInteger, nullable=False),
    Column("error", Text),
    Column("created_at", BigInteger, nullable=False),
    Index("costs_of_tasks", "created_at", "cost_pico"),
)
"""Duration, usage and outcome of each task. Questions and answers are not stored."""
