"""Runs of plans and of agents, their steps and their outputs."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    Table,
    Text,
    literal_column,
)

from contracts.views.base import metadata
from contracts.views.search import searchable
from contracts.views.totals import counted, counted_by_hour

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("strategy", Text, nullable=False),
    Column("goal_id", Text),
    Column("dag_id", Text),
    Column("dag_title", Text),
    Column("own_plan", Boolean, nullable=False),
    Column("request", Text, nullable=False),
    Column("primary_intent", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("schedule_id", Text),
    Column("status", Text, nullable=False),
    Column("planned_at", BigInteger),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("duration_ms", BigInteger),
    Column("total_steps", Integer, nullable=False),
    Column("completed_steps", Integer, nullable=False),
    Column("failed_steps", Integer, nullable=False),
    Column("waiting_steps", Integer, nullable=False),
    Column("failed_calls", Integer, nullable=False),
    Column("call_error", Text),
    Column("suspended_reason", Text),
    Column("suspended_at", BigInteger),
    Column("cancelled_reason", Text),
    Column("cancelled_at", BigInteger),
    Column("outward_calls", Text),
    Column("approvals", JSON(none_as_null=True)),
    Column("forked_from", Text),
    Column("replaced_by", Text),
    Column("resumes", Integer, nullable=False),
    Column("last_resumed_at", BigInteger),
    Column("summary", Text),
    Column("report_start", Text),
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
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
)
"""One row per run. It exists from the request for the run, or for its plan.

- `strategy`: `agent` or `dag`. `status`: the status of the aggregate, which can be `cancelled`.
- `own_plan`: whether the plan is made for this run; `planned_at`: when the run of a plan was requested, null
  for runs of agents and for runs that wait for their plan.
- `trigger`: `api` or `schedule`.
- `total_steps`: the number of steps of the plan, or the maximum number of turns of the agent.
- `failed_calls`: the number of tool calls of an agent that failed finally; `call_error`: the last error.
- `report_start`: the beginning of the report or summary, for the search.
- `other_cost_pico`: for runs of agents, the part of `cost_pico` that belongs to no step.
- `outward_calls`, `approvals`: the policy of the run, and the tools whose calls need an approval; or null.
- `forked_from`: the run that this one is a fork of; `replaced_by`: the fork that replaces this run.
- `first_seq`, `seq`: the stream sequences of the first and last commit."""

EXECUTION_STATUS: ColumnElement[str] = literal_column(
    "CASE status WHEN 'cancelled' THEN 'failed' ELSE status END", Text
)
"""The status of a run as the API shows it for executions."""

GOAL_RUN_STATUS: ColumnElement[str] = literal_column(
    "CASE WHEN status IN ('cancelled', 'suspended') THEN 'failed' WHEN status = 'waiting' THEN 'running'"
    " ELSE status END",
    Text,
)
"""The status of a run as the API shows it for runs of goals."""

IS_EXECUTION: ColumnElement[bool] = literal_column("planned_at IS NOT NULL")
"""Whether a run is listed as an execution."""
IS_GOAL_RUN: ColumnElement[bool] = literal_column("goal_id IS NOT NULL")
IS_TOOL_CALL: ColumnElement[bool] = literal_column("action_type = 'tool'")
"""Whether a step calls a tool."""
IS_UNENDED: ColumnElement[bool] = literal_column("status IN ('pending', 'running')")

_newest = (runs.c.created_at, runs.c.id)
_changed = (runs.c.updated_at, runs.c.id)
_tested = (runs.c.cost_pico, runs.c.dag_id, runs.c.first_seq)
"""Columns that filters test. In an index of a list, they are read without the rows, five times as fast."""

Index("executions_newest", *_newest, *_tested, sqlite_where=IS_EXECUTION)
Index("executions_newest_by_status", EXECUTION_STATUS, *_newest, sqlite_where=IS_EXECUTION)
Index("executions_changed", *_changed, *_tested, sqlite_where=IS_EXECUTION)
Index("executions_changed_by_status", EXECUTION_STATUS, *_changed, sqlite_where=IS_EXECUTION)
Index("executions_by_dag", runs.c.dag_id, *_newest, sqlite_where=IS_EXECUTION)
Index("executions_by_dag_and_status", runs.c.dag_id, EXECUTION_STATUS, *_newest, sqlite_where=IS_EXECUTION)
Index("goal_runs_newest", *_newest, *_tested, sqlite_where=IS_GOAL_RUN)
Index("goal_runs_newest_by_status", GOAL_RUN_STATUS, *_newest, sqlite_where=IS_GOAL_RUN)
Index("goal_runs_by_goal", runs.c.goal_id, *_newest, *_tested, sqlite_where=IS_GOAL_RUN)
Index("goal_runs_by_goal_and_status", runs.c.goal_id, GOAL_RUN_STATUS, *_newest, sqlite_where=IS_GOAL_RUN)
Index("runs_by_dag", runs.c.dag_id)
Index("runs_by_first_seq", runs.c.first_seq)
Index("executions_by_first_seq", runs.c.first_seq, sqlite_where=IS_EXECUTION)
Index("runs_by_agent", runs.c.agent_id, *_newest, sqlite_where=runs.c.agent_id.is_not(None))
Index("runs_by_fork", runs.c.forked_from, *_newest, sqlite_where=runs.c.forked_from.is_not(None))
Index(
    "costs_of_runs",
    runs.c.strategy,
    runs.c.ended_at,
    runs.c.cost_pico,
    sqlite_where=runs.c.ended_at.is_not(None),
)
Index("runs_unended", runs.c.status, runs.c.goal_id, runs.c.first_seq, sqlite_where=IS_UNENDED)

runs_text = searchable(
    "runs_text",
    runs,
    "id",
    "dag_title",
    "request",
    "error",
    "suspended_reason",
    "cancelled_reason",
    "call_error",
    "report_start",
)
"""The full-text index of runs."""

counted("executions", runs, when="{row}.planned_at IS NOT NULL", of=("status", "planned_at"))
counted_by_hour("executions", runs, when="{row}.planned_at IS NOT NULL", of=("status", "planned_at"))
counted_by_hour("goal_runs", runs, when="{row}.goal_id IS NOT NULL", of=("status", "goal_id"))

run_steps = Table(
    "run_steps",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("position", Integer),
    Column("description", Text, nullable=False),
    Column("thought", Text, nullable=False),
    Column("action_type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("params", JSON(none_as_null=True), nullable=False),
    Column("dependencies", JSON(none_as_null=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("retry_at", BigInteger),
    Column("started_at", BigInteger),
    Column("completed_at", BigInteger),
    Column("duration_ms", BigInteger),
    Column("result", JSON(none_as_null=True)),
    Column("inherited", Text),
    Column("error", Text),
    Column("outward", JSON(none_as_null=True)),
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
"""One row per step of a plan, including the synthesis; per turn of an agent; and per tool call of a turn.

- `step`: the id of the step in the run: `001`, `__SYNTHESIS__`; turns are `1`, `2`, …, calls `1.0`, `1.1`, …
- `number`: the position of a step in the plan, by the order of ids; or the number of the turn, from 1.
- `position`: the position of a call in its turn, from 0; null for all other steps.
- `name`, `params`: the tool or agent, and its parameters.
- `result`: the JSON value or `{"$blob": …}`.
- `outward`: the decision about a call that sends something to others, or null.
- `inherited`: `original` if a fork has the result from its original, `given` if it was given with the fork;
  null if the run executed the step.
- Tokens and cost: the sum of all attempts. Agent and prompt: those of the attempt with the result."""

Index("run_steps_by_tool", run_steps.c.name, run_steps.c.run_id, sqlite_where=IS_TOOL_CALL)
Index(
    "run_steps_by_agent",
    run_steps.c.agent_id,
    run_steps.c.run_id,
    sqlite_where=run_steps.c.agent_id.is_not(None),
)
Index("run_steps_in_order", run_steps.c.run_id, run_steps.c.number, run_steps.c.position)

outputs = Table(
    "outputs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("path_or_payload", Text, nullable=False),
    Column("inherited", Text),
    Column("created_at", BigInteger, nullable=False),
    Index("outputs_by_run", "run_id", "created_at", "id"),
)
"""Outputs of runs: files, webhooks, emails, summaries of agents. The report of a plan is a step instead.

`inherited`: `original` if a step of the original of a fork left it outside; null if the run did."""
