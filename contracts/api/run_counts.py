"""Numbers of executions and runs over time, over HTTP."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.api.fields import Query, Row, Timestamp

Period = Literal["hour", "day"]


class RunCountQuery(Query):
    """Which runs to count."""

    from_: str | None = Field(default=None, alias="from")
    """An ISO 8601 date or date-time, or a number of days, weeks or months ago. Default: `7d`."""
    to: str | None = None
    """As `from`. Default: now."""
    group_by: Period = "day"


class CountRange(Row):
    """What was counted."""

    from_: Timestamp = Field(alias="from")
    to: Timestamp
    group_by: Period


class StatusCounts(Row):
    """Numbers by the status that runs have now. A cancelled one is `failed`."""

    pending: int = 0
    running: int = 0
    waiting: int = 0
    suspended: int = 0
    completed: int = 0
    failed: int = 0
    total: int = 0


class PeriodCounts(Row):
    """Numbers of one hour or day, in UTC."""

    date: Timestamp
    """Start of the hour or day."""
    executions: StatusCounts
    """Executions of plans, also for goals."""
    runs: StatusCounts
    """Runs of goals, by an agent or a plan. A run of a goal by a plan counts as an execution, too."""


class RunCounts(Row):
    """Numbers by period, oldest first. Only periods in which something was requested are listed."""

    date_range: CountRange
    summary: list[PeriodCounts]
    executions: StatusCounts
    """All periods together."""
    runs: StatusCounts
