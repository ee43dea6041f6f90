"""Comparison of two executions or runs over HTTP."""

from __future__ import annotations

from typing import Literal

from contracts.api.costs import TokenUsage
from contracts.api.executions import ExecutionStatus, Inherited, StepStatus
from contracts.api.fields import NonEmpty, Query, Row, Timestamp, Usd

Equality = Literal["equal", "different", "only_a", "only_b", "none"]
"""How two results compare: `only_a` and `only_b`, only that side has one; `none`, neither has one."""


class CompareQuery(Query):
    """What to compare."""

    a: NonEmpty
    """Id of an execution or of a run."""
    b: NonEmpty


class ComparedRun(Row):
    """One side of the comparison."""

    id: str
    kind: Literal["execution", "run"]
    """`run`: a run of a goal by an agent; `execution`: the execution of a plan, also for a goal."""
    title: str | None
    status: ExecutionStatus
    forked_from: str | None
    started_at: Timestamp | None
    completed_at: Timestamp | None
    duration_ms: int | None
    total_steps: int
    completed_steps: int
    total_usage: TokenUsage | None
    total_cost_usd: Usd | None
    model: str | None


class ComparedStep(Row):
    """A step of one side."""

    status: StepStatus
    attempt: int
    inherited: Inherited | None
    duration_ms: int | None
    usage: TokenUsage | None
    cost_usd: Usd | None
    model: str | None
    error: str | None


class ComparedResult(Row):
    """The results of a step on both sides."""

    verdict: Equality
    diff: str | None
    """Unified diff from `a` to `b`, if the results differ. Null: they do not, or they are too long."""
    truncated: bool
    """Whether the diff is cut short or left out, because it is too long."""


class StepComparison(Row):
    """One step, turn or tool call of both sides. Steps with the same id are compared."""

    step: str
    description: str
    name: str
    """Tool or agent of the step."""
    a: ComparedStep | None
    b: ComparedStep | None
    result: ComparedResult


class Difference(Row):
    """The totals of `b` less those of `a`. Null: unknown on one side."""

    duration_ms: int | None
    total_tokens: int | None
    cost_usd: Usd | None


class Comparison(Row):
    """Two executions or runs, step by step."""

    a: ComparedRun
    b: ComparedRun
    difference: Difference
    equal_results: int
    """Number of steps whose results are equal."""
    different_results: int
    steps: list[StepComparison]
    """In the order of the plan, or of the turns. The report of a plan is the last step."""
    report: ComparedResult
    """The reports of plans, or the summaries of agents."""
