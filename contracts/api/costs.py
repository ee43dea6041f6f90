"""What plans and executions cost, over HTTP."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.api.fields import Absent, Query, Row, Timestamp, Usd, tokens
from contracts.core.event import Json

GroupBy = Literal["day", "week", "month"]


class TokenUsage(Row):
    """Tokens of one or more calls."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, prompt: int | None, completion: int | None) -> TokenUsage | None:
        """So many tokens; None where nothing is known."""
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
    """What it took to make a plan."""

    total_usage: TokenUsage | None
    total_cost_usd: Usd | None
    attempts: list[PlanningAttempt] | None


class StepCost(Row):
    """What one step took, with all its attempts."""

    id: str
    task_id: str
    action_type: str
    tool_or_prompt_name: str
    usage: TokenUsage | None
    cost_usd: Usd | None


class SynthesisCost(Row):
    """What the report took."""

    usage: TokenUsage | None
    cost_usd: Usd | None


class ExecutionCost(Row):
    """What the steps took, and each of them."""

    total_usage: TokenUsage | None
    total_cost_usd: Usd | None
    sub_steps: list[StepCost]
    synthesis: SynthesisCost | None


class ExecutionTotals(Row):
    """Sums; what is not known counts as nothing."""

    planning_cost_usd: Usd
    execution_cost_usd: Usd
    grand_total_cost_usd: Usd


class ExecutionCosts(Row):
    """One execution and the plan it followed."""

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
    """Sums; what is not known counts as nothing."""

    planning_cost_usd: Usd
    executions_cost_usd: Usd
    grand_total_cost_usd: Usd


class DagCosts(Row):
    """One DAG: its plan and all its executions."""

    dag_id: str
    planning: PlanningCost
    executions: list[DagExecutionCost]
    totals: DagTotals


class CostQuery(Query):
    """Which days, and how to put them together."""

    from_: str | None = Field(default=None, alias="from")
    """An ISO 8601 date or date-time (UTC unless it says otherwise), or `<n>d`, `<n>w`, `<n>m` before now."""
    to: str | None = None
    """As `from`; by default now. A date means its beginning."""
    group_by: GroupBy = "day"


class DateRange(Row):
    """What was asked for, made exact."""

    from_: Timestamp = Field(alias="from")
    to: Timestamp
    group_by: GroupBy


class Spent(Row):
    """Money: for plans and tasks by the day they were asked for, for the others by the day they ended."""

    planning_cost_usd: Usd
    execution_cost_usd: Usd
    goal_run_cost_usd: Usd = 0
    """Of runs of goals by an agent's turns; those by a plan are among plans and executions."""
    task_cost_usd: Usd = 0
    """Of single tasks."""
    total_cost_usd: Usd


class PeriodCost(Spent):
    """What was spent in one period."""

    date: str
    """`YYYY-MM-DD` of the day or of the week's Sunday, or `YYYY-MM`; in UTC."""


class CostSummary(Row):
    """What was spent when; periods in which nothing was planned and nothing ended are left out."""

    date_range: DateRange
    summary: list[PeriodCost]
    totals: Spent
