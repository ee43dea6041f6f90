"""Budgets of runs over HTTP."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from contracts.api.fields import Body, Row
from contracts.core.event import Json
from contracts.domain.budget import LIMITS, MOST, Limit, Usd


class BudgetChange(Body):
    """Limits to change. Omitted limits stay unchanged; null removes a limit."""

    usd: Usd | None = None
    """US dollars for models, also for failed attempts, the report, and the plan that was made for the run."""
    tokens: Annotated[int, Field(ge=0, le=MOST)] | None = None
    """Tokens of models, in the same sense."""
    seconds: Annotated[float, Field(ge=0, le=MOST)] | None = None
    """Seconds in which the run is running, without the time that it waits for a person or is suspended."""
    steps: Annotated[int, Field(ge=0, le=MOST)] | None = None
    """Steps that are started. Retries and the report do not count."""

    @model_validator(mode="after")
    def _changes_something(self) -> BudgetChange:
        if not self.model_fields_set:
            raise ValueError(f"give at least one limit: {', '.join(LIMITS)}")
        return self

    @property
    def changes(self) -> dict[Limit, Json]:
        """The given limits; None removes one."""
        return {limit: getattr(self, limit) for limit in LIMITS if limit in self.model_fields_set}


class LimitRow(Row):
    """One limit of a run. Amounts are exact decimal text: US dollars, tokens, seconds or steps."""

    limit: Limit
    allowed: str | None
    """Null: not limited."""
    spent: str
    left: str | None
    """What is left; null: not limited."""


class RunBudget(Row):
    """What a run may spend, and what it has spent."""

    run_id: str
    limits: list[LimitRow]
    reached: str | None
    """Why the budget forbids further steps; null: it does not."""
