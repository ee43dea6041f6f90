"""Questions of runs to a person."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table, Text

from contracts.views.base import metadata

asks = Table(
    "asks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("params", JSON(none_as_null=True), nullable=False),
    Column("params_sha256", Text, nullable=False),
    Column("answer_schema", JSON(none_as_null=True)),
    Column("why", Text, nullable=False),
    Column("policy", Text),
    Column("asked_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("verdict", Text),
    Column("edited_params", JSON(none_as_null=True)),
    Column("value", JSON(none_as_null=True)),
    Column("comment", Text),
    Column("answered_by", Text),
)
"""One row per question.

- `status`: `open`, `approved`, `rejected`, `answered`, `expired`, or `withdrawn` if the run ended or was
  suspended.
- `params`: the parameters as asked; `edited_params`: as the person who approved edited them, or null."""

Index("asks_newest", asks.c.asked_at, asks.c.id)
Index("asks_newest_by_status", asks.c.status, asks.c.asked_at, asks.c.id)
Index("asks_by_run", asks.c.run_id, asks.c.asked_at, asks.c.id)
Index("asks_by_run_and_status", asks.c.run_id, asks.c.status, asks.c.asked_at, asks.c.id)
