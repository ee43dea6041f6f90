"""The tables every read is answered from: written by the projector, read by the gateway, disposable.

Times are integers, milliseconds since 1970 UTC. Money is an integer of 10⁻¹² US dollars: sums are exact.
Raise VIEWS_VERSION whenever a table or the fold into it changes: the projector then builds them anew.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text

VIEWS_VERSION = 2

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
    Column("schedule_paused", Boolean, nullable=False, default=False),
    Column("overlap", Text),
    Column("catch_up_s", Integer),
    Column("jitter_s", Integer),
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
    Column("goal_id", Text),
    Column("run_id", Text),
    Column("created_at", BigInteger, nullable=False),
)
"""What was decided about each tick of a schedule, of a DAG or of a goal."""

goals = Table(
    "goals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("objective", Text, nullable=False),
    Column("params", JSON(none_as_null=True), nullable=False),
    Column("webhook_url", Text),
    Column("agent_id", Text),
    Column("status", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("goals_by_created", "created_at"),
    Index("goals_by_status", "status", "created_at"),
)
"""`params` is what the client gave, in camelCase."""

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
    Index("goal_schedules_by_goal", "goal_id"),
)

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
(`cancelled` included). The working memory of a run is made of its `goal_calls` and its summary."""

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

`result` is the JSON value or `{"$blob": …}`; `contracts.observations` puts calls into words."""

memories = Table(
    "memories",
    metadata,
    Column("id", Text, primary_key=True),
    Column("goal_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("memories_by_goal", "goal_id", "created_at"),
)
"""What runs left for the next ones of their goal: notes, facts, artifacts."""

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
