"""Runs of goals: by an agent's turns, or by a plan."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table, Text

from contracts.views.base import metadata

goal_runs = Table(
    "goal_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("goal_id", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("dag_id", Text),
    Column("trigger", Text, nullable=False),
    Column("schedule_id", Text),
    Column("status", Text, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("step_budget", Integer),
    Column("steps_executed", Integer, nullable=False),
    Column("summary", Text),
    Column("outcome_reason", Text),
    Column("error", Text),
    Column("remarks", JSON(none_as_null=True)),
    Column("agent_id", Text),
    Column("agent_name", Text),
    Column("agent_version", Text),
    Column("prompt_sha256", Text),
    Column("provider", Text),
    Column("model", Text),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cost_pico", BigInteger),
    Column("other_cost_pico", BigInteger),
    Column("cancelled_reason", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("goal_runs_by_created", "created_at"),
    Index("goal_runs_by_goal", "goal_id", "created_at"),
    Index("goal_runs_by_status", "status", "created_at"),
    Index("goal_runs_by_dag", "dag_id"),
)
"""`strategy` is `agent`, or `dag`: then the row only says whose run it is, and how it stands until the plan
is made; from then on everything about it is in `dag_executions`, under the same id. `status` is the run's own
(`cancelled` included). `other_cost_pico` is the part of `cost_pico` that no row of `goal_steps`
has. The working memory of a run is made of its `goal_calls` and its summary."""

goal_steps = Table(
    "goal_steps",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("step_no", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("thought", Text, nullable=False),
    Column("finish_reason", Text, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cost_usd", Text),
    Column("provider", Text),
    Column("model", Text),
    Column("generation_stats", JSON(none_as_null=True)),
    Column("created_at", BigInteger, nullable=False),
)
"""One row per turn. `duration_ms` is the model's; that of the tools is with their calls."""

goal_calls = Table(
    "goal_calls",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("step_no", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("call_id", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("arguments", JSON(none_as_null=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("result", JSON(none_as_null=True)),
    Column("error", Text),
    Column("duration_ms", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
"""One row per tool call of a turn: running, waiting (to be tried again), completed or failed.

`result` is the JSON value or `{"$blob": …}`. `contracts.domain.prompts.observations` words calls."""

outputs = Table(
    "outputs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("path_or_payload", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("outputs_by_run", "run_id", "created_at"),
)
"""What goal runs left outside: summary, file, webhook, email. Those of plans follow from `sub_steps`."""
