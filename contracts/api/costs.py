"""Costs of plans and executions over HTTP."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.api.fields import Absent, Query, Row, Timestamp, Usd, tokens
from contracts.core.event import Json

GroupBy = Literal["day", "week", "month"]


class TokenUsage(Row):
    """Tokens used by one or more model calls."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, prompt: int | None, completion: int | None) -> TokenUsage | None:
        """Return the usage with these counts, or None if both are unknown."""
        counts = tokens(prompt, completion)
        return None if counts is None else cls.model_validate(counts)


class PlanningAttempt(Row):
    """One answer of a model while planning."""

    attempt: int
    reason: str
    usage: Absent[TokenUsage] = None
    cost_usd: Absent[str] = None
    error_message: Absent[str] = None
    generation_stats: Absent[dict[str, Json]] = None


class PlanningCost(Row):
    """Usage and cost of planning."""

    total_usage: TokenUsage | None
    total_cost_usd: Usd | None
    attempts: list[PlanningAttempt] | None


class StepCost(Row):
    """Usage and cost of all attempts of one step."""

    id: str
    task_id: str
    action_type: str
    tool_or_prompt_name: str
    usage: TokenUsage | None
    cost_usd: Usd | None


class SynthesisCost(Row):
    """Usage and cost of the synthesis."""

    usage: TokenUsage | None
    cost_usd: Usd | None


class ExecutionCost(Row):
    """Usage and cost of all steps, and of each step."""

    total_usage: TokenUsage | None
    total_cost_usd: Usd | None
    sub_steps: list[StepCost]
    synthesis: SynthesisCost | None


class ExecutionTotals(Row):
    """Sums. Unknown costs count as 0."""

    planning_cost_usd: Usd
    execution_cost_usd: Usd
    grand_total_cost_usd: Usd


class ExecutionCosts(Row):
    """Costs of one execution and of its plan."""

    dag_id: str
    execution_id: str
    planning: PlanningCost | None
    execution: ExecutionCost
    totals: ExecutionTotals


class DagExecutionCost(Row):
    """One execution of a DAG."""

    execution_id: str
    status: str
    total_cost_usd: Usd | None
    started_at: Timestamp | None
    completed_at: Timestamp | None


class DagTotals(Row):
    """Sums. Unknown costs count as 0."""

    planning_cost_usd: Usd
    executions_cost_usd: Usd
    grand_total_cost_usd: Usd


class DagCosts(Row):
    """Costs of a DAG: of its plan and of all its executions."""

    dag_id: str
    planning: PlanningCost
    executions: list[DagExecutionCost]
    totals: DagTotals


class CostQuery(Query):
    """The period to sum up, and how to group it."""

    from_: str | None = Field(default=None, alias="from")
    """Start: an ISO 8601 date or date-time, or `<n>d`, `<n>w`, `<n>m` before now.

    A time without an offset is in UTC.
    """
    to: str | None = None
    """End, in the same forms as `from`. Default: now. A date means the start of that day."""
    group_by: GroupBy = "day"


class DateRange(Row):
    """The period of the summary."""

    from_: Timestamp = Field(alias="from")
    to: Timestamp
    group_by: GroupBy


class Spent(Row):
    """Costs. Plans and tasks are dated by their request; runs and executions by their end."""

    planning_cost_usd: Usd
    execution_cost_usd: Usd
    goal_run_cost_usd: Usd = 0
    """Goal runs of the strategy `agent`. Runs of the strategy `dag` count as planning and execution."""
    task_cost_usd: Usd = 0
    """Costs of single tasks."""
    total_cost_usd: Usd


class PeriodCost(Spent):
    """Costs of one period."""

    date: str
    """Start of the period in UTC: `YYYY-MM-DD` for a day or a week (its Sunday), `YYYY-MM` for a month."""


class CostSummary(Row):
    """Costs by period. A period in which nothing counts is omitted."""

    date_range: DateRange
    summary: list[PeriodCost]
    totals: Spent
