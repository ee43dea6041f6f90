"""The tables every read is answered from: written by the projector, read by the gateway, disposable.

Times are integers, milliseconds since 1970 UTC. Money is an integer of 10⁻¹² US dollars: sums are exact.
Raise VIEWS_VERSION whenever a table or the fold into it changes: the projector then builds them anew.
"""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text

VIEWS_VERSION = 1
PICO = Decimal(10) ** 12

metadata = MetaData()

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
)
"""One row: the version of the views and the stream sequence they include."""

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

dags = Table(
    "dags",
    metadata,
    Column("id", Text, primary_key=True),
    Column("phase", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("goal_text", Text, nullable=False),
    Column("result", JSON(none_as_null=True)),
    Column("params", JSON(none_as_null=True)),
    Column("agent_name", Text),
    Column("dag_title", Text),
    Column("clarification_query", Text),
    Column("error", JSON(none_as_null=True)),
    Column("attempts", Integer, nullable=False, default=0),
    Column("usage", JSON(none_as_null=True)),
    Column("generation_stats", JSON(none_as_null=True)),
    Column("planning_prompt_tokens", BigInteger),
    Column("planning_completion_tokens", BigInteger),
    Column("planning_cost_pico", BigInteger),
    Column("cron_schedule", Text),
    Column("schedule_active", Boolean, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("last_run_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("dags_by_created", "created_at"),
    Index("dags_by_status", "status", "created_at"),
)
"""`phase` is the aggregate's state, `status` what clients see; `error` = {httpStatus, error, …details}."""

planning_attempts = Table(
    "planning_attempts",
    metadata,
    Column("dag_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("usage", JSON(none_as_null=True)),
    Column("cost_usd", Text),
    Column("error_message", Text),
    Column("generation_stats", JSON(none_as_null=True)),
)
"""One row per answer of a model; `version` is the event's position in the DAG."""

executions = Table(
    "dag_executions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dag_id", Text, nullable=False),
    Column("dag_title", Text),
    Column("original_request", Text, nullable=False),
    Column("primary_intent", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", BigInteger),
    Column("completed_at", BigInteger),
    Column("duration_ms", BigInteger),
    Column("total_tasks", Integer, nullable=False),
    Column("completed_tasks", Integer, nullable=False),
    Column("failed_tasks", Integer, nullable=False),
    Column("waiting_tasks", Integer, nullable=False),
    Column("suspended_reason", Text),
    Column("suspended_at", BigInteger),
    Column("cancelled_reason", Text),
    Column("cancelled_at", BigInteger),
    Column("retry_count", Integer, nullable=False),
    Column("last_retry_at", BigInteger),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cost_pico", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("executions_by_updated", "updated_at"),
    Index("executions_by_status", "status", "updated_at"),
    Index("executions_by_dag", "dag_id", "created_at"),
    Index("executions_by_completed", "completed_at"),
)
"""`status` is the run's own (`cancelled` included). `seq` is the stream sequence of its last commit."""

sub_steps = Table(
    "sub_steps",
    metadata,
    Column("execution_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("thought", Text, nullable=False),
    Column("action_type", Text, nullable=False),
    Column("tool_or_prompt_name", Text, nullable=False),
    Column("tool_or_prompt_params", JSON(none_as_null=True)),
    Column("dependencies", JSON(none_as_null=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("retry_at", BigInteger),
    Column("started_at", BigInteger),
    Column("completed_at", BigInteger),
    Column("duration_ms", BigInteger),
    Column("result", JSON(none_as_null=True)),
    Column("error", Text),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cost_usd", Text),
    Column("provider", Text),
    Column("model", Text),
    Column("agent_id", Text),
    Column("generation_stats", JSON(none_as_null=True)),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
"""One row per step, the synthesis among them. `result` is the JSON value or `{"$blob": …}`."""

schedule_ticks = Table(
    "schedule_ticks",
    metadata,
    Column("schedule_id", Text, primary_key=True),
    Column("tick", BigInteger, primary_key=True),
    Column("decision", Text, nullable=False),
    Column("reason", Text),
    Column("dag_id", Text),
    Column("run_id", Text),
    Column("created_at", BigInteger, nullable=False),
)


def pico_usd(cost_usd: str | None) -> int | None:
    """Dollars as text to 10⁻¹² dollars; finer parts are rounded half even."""
    return None if cost_usd is None else int((Decimal(cost_usd) * PICO).to_integral_value())


def usd_text(pico: int | None) -> str | None:
    """10⁻¹² dollars to plain decimal text without trailing zeros: `0.00123`, `0`."""
    if pico is None:
        return None
    text = f"{Decimal(pico) / PICO:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
