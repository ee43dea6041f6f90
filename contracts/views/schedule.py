"""Ticks of schedules."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from contracts.views.base import metadata

schedule_ticks = Table(
    "schedule_ticks",
    metadata,
    Column("schedule_id", Text, primary_key=True),
    Column("tick", BigInteger, primary_key=True),
    Column("decision", Text, nullable=False),
    Column("reason", Text),
    Column("dag_id", Text),
    Column("goal_id", Text),
    Column("run_id", Text),
    Column("created_at", BigInteger, nullable=False),
)
"""The decision about each tick of a schedule of a DAG or a goal."""
