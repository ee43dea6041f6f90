"""Executions of plans and runs of goals: what their lists read of the same table, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Join,
    Label,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
)

from contracts.domain.run.steps import SYNTHESIS
from contracts.views import (
    EXECUTION_STATUS,
    GOAL_RUN_STATUS,
    IS_EXECUTION,
    IS_GOAL_RUN,
    dags,
    goals,
    run_steps,
    runs,
)
from gateway.views.filtering import of_agent
from gateway.views.presenting import columns

ONLY_OF_GOALS = frozenset(
    {
        "strategy",
        "goal_id",
        "schedule_id",
        "planned_at",
        "failed_calls",
        "call_error",
        "summary",
        "report_start",
        "outcome_reason",
        "error",
        "remarks",
        "agent_id",
        "agent_name",
        "agent_version",
        "prompt_sha256",
        "provider",
        "model",
        "other_cost_pico",
        "first_seq",
    }
)
"""Columns that executions do not show. Reading them would make a page of executions a fifth slower."""

EXECUTION_COLUMNS = columns(runs, "run_", without=ONLY_OF_GOALS)
GOAL_COLUMNS = columns(goals, "goal_")
PLANNING_COLUMNS = (
    dags.c.planning_prompt_tokens,
    dags.c.planning_completion_tokens,
    dags.c.planning_cost_pico,
)
"""Tokens and cost of planning."""

_report = run_steps.alias("report")
_with_report = runs.outerjoin(_report, (_report.c.run_id == runs.c.id) & (_report.c.step == SYNTHESIS))
_REPORT = cast(_report.c.result, Text).label("report")
_planning_cost = select(dags.c.planning_cost_pico).where(dags.c.id == runs.c.dag_id).scalar_subquery()
STEPS_OF_AGENT = select(run_steps.c.run_id).where(of_agent(run_steps.c.agent_id))
_dags_of_agent = select(dags.c.id).where(dags.c.agent_name == bindparam("agent"))
_by_agent = runs.c.dag_id.in_(_dags_of_agent) | runs.c.id.in_(STEPS_OF_AGENT)
_by_common_agent = or_(
    _dags_of_agent.where(dags.c.id == runs.c.dag_id).exists(),
    STEPS_OF_AGENT.where(run_steps.c.run_id == runs.c.id).exists(),
)
_by_counted_agent = or_(
    literal_column("+runs.dag_id", Text).in_(_dags_of_agent),
    literal_column("+runs.id", Text).in_(STEPS_OF_AGENT),
)
"""The plus keeps SQLite from finding runs by these columns: it tests them in the order of the list."""
OF_AGENT = _dags_of_agent.union_all(STEPS_OF_AGENT)
"""DAGs and steps of the parameter `agent`."""


@dataclass(frozen=True, eq=False, slots=True)
class Kind:
    """Executions of plans, or runs of goals."""

    columns: Sequence[Label[Any] | Column[Any]]
    source: Join
    belongs: ColumnElement[bool]
    """Whether a run is of this kind."""
    listed: ColumnElement[bool]
    """Whether lists include a run."""
    status: ColumnElement[str]
    """Status of a run in the API."""
    order: Column[int]
    """Order of pages by offset. Pages by cursor, and lists of one DAG or of a period, are in the order of
    creation."""
    cost: ColumnElement[int]
    """What a run costs in lists."""
    agent: ColumnElement[bool]
    """Whether a run is one of the parameter `agent`."""
    common_agent: ColumnElement[bool]
    """The same for an agent of many runs, see `gateway.views.filtering`."""
    counted_agent: ColumnElement[bool]
    """The same for an agent of many runs, to test all runs: a set of ids is faster than look-ups."""


EXECUTIONS = Kind(
    (*EXECUTION_COLUMNS, _REPORT),
    _with_report,
    runs.c.strategy == "dag",
    IS_EXECUTION,
    EXECUTION_STATUS,
    runs.c.updated_at,
    func.coalesce(runs.c.cost_pico, 0),
    _by_agent,
    _by_common_agent,
    _by_counted_agent,
)
GOAL_RUNS = Kind(
    (*columns(runs, "run_"), _REPORT, *GOAL_COLUMNS, *PLANNING_COLUMNS),
    _with_report.join(goals, goals.c.id == runs.c.goal_id).outerjoin(dags, dags.c.id == runs.c.dag_id),
    runs.c.goal_id.is_not(None),
    IS_GOAL_RUN,
    GOAL_RUN_STATUS,
    runs.c.created_at,
    func.coalesce(runs.c.cost_pico, 0) + func.coalesce(_planning_cost, 0),
    of_agent(runs.c.agent_id),
    of_agent(runs.c.agent_id),
    of_agent(runs.c.agent_id),
)
