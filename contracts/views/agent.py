"""Agents."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Table, Text

from contracts.views.base import metadata

agents = Table(
    "agents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("prompt_template", Text, nullable=False),
    Column("provider", Text),
    Column("model", Text),
    Column("active", Boolean, nullable=False),
    Column("metadata", JSON(none_as_null=True)),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("agents_by_name", "name", "active"),
)
