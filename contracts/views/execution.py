"""Executions of plans, and their steps."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table, Text

from contracts.views.base import metadata

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
    Column("output", JSON(none_as_null=True)),
    Column("error", Text),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cost_pico", BigInteger),
    Column("provider", Text),
    Column("model", Text),
    Column("agent_id", Text),
    Column("agent_version", Text),
    Column("prompt_sha256", Text),
    Column("finish_reason", Text),
    Column("generation_stats", JSON(none_as_null=True)),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
"""One row per step, the synthesis among them. `result` is the JSON value or `{"$blob": …}`;
`output` what the step has left outside the run, `{"kind": …, "content": …}`.

Tokens and cost are those of all attempts together; agent and prompt are those that gave the result."""
