"""Schedules over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.api.fields import Body, Omissible, Query, Row, Timestamp
from contracts.api.numbers import COERCED, INTEGRAL
from contracts.api.paging import ByCursor, Page, Pagination
from contracts.domain.schedule.schedule import MAX_CATCH_UP_S, MAX_JITTER_S

OverlapPolicy = Literal["skip", "allow", "queue_one", "cancel_running"]
CatchUp = Annotated[int, Field(ge=0, le=MAX_CATCH_UP_S), INTEGRAL]
Jitter = Annotated[int, Field(ge=0, le=MAX_JITTER_S), INTEGRAL]
MOST_NEXT = 100


class SchedulePolicy(Body):
    """What happens to ticks that overlap or are late. Omitted keys stay unchanged."""

    overlap: Omissible[OverlapPolicy] = None
    """What happens to a tick while the run of an earlier tick is in progress. Initial value: `skip`."""
    catch_up_seconds: CatchUp | None = None
    """How many seconds late a missed tick may still fire. Null means the scheduler's setting CATCH_UP_S."""
    jitter_seconds: Omissible[Jitter] = None
    """Each tick is delayed by up to this many seconds. Initial value: 0."""


class ScheduleCreate(Body):
    """When a goal runs automatically."""

    cron_expr: str
    """5 fields, 6 fields with seconds first, or a word such as `@daily`."""
    timezone: str = "UTC"
    """IANA time zone."""
    overlap: OverlapPolicy = "skip"
    """What happens to a tick while the run of an earlier tick is in progress."""
    catch_up_seconds: CatchUp | None = None
    """How many seconds late a missed tick may still fire. Null means the scheduler's setting CATCH_UP_S."""
    jitter_seconds: Jitter = 0
    """Each tick is delayed by up to this many seconds."""
    paused: bool = False
    """A paused schedule does not fire, even if its goal is active."""


class SchedulePatch(SchedulePolicy):
    """Changes to a schedule. Omitted keys stay unchanged."""

    cron_expr: Omissible[str] = None
    timezone: Omissible[str] = None
    paused: Omissible[bool] = None


class ScheduleRow(Row):
    """A schedule of a goal."""

    id: str
    goal_id: str
    cron_expr: str
    timezone: str
    active: bool
    """Whether the schedule fires: the schedule is not paused, and its goal is active."""
    paused: bool
    """A paused schedule does not fire, even if its goal is active."""
    overlap: OverlapPolicy
    catch_up_seconds: int | None
    jitter_seconds: int
    last_run_at: Timestamp | None
    """Time of the last tick that fired."""
    created_at: Timestamp
    updated_at: Timestamp


class TickRow(Row):
    """The decision about one tick of a schedule."""

    schedule_id: str
    tick: Timestamp
    decision: Literal["fired", "queued", "skipped", "missed"]
    reason: str | None
    """Why the tick did not fire, or what was cancelled so that it could fire."""
    goal_id: str | None
    dag_id: str | None
    run_id: str | None
    """The run or the DAG execution that the tick requested."""
    created_at: Timestamp
    """Time of the first decision about the tick."""


class TickList(Row):
    """Ticks, newest first."""

    ticks: list[TickRow]
    pagination: Pagination


class TickQuery(Page, ByCursor):
    """Which ticks to list."""


class NextQuery(Query):
    """How many ticks to return."""

    count: Annotated[int, Field(ge=1, le=MOST_NEXT), COERCED] = 10


class NextTicks(Row):
    """The next ticks of a schedule."""

    schedule_id: str
    cron_expr: str
    description: str
    """The expression in English."""
    timezone: str
    active: bool
    """Whether the schedule fires. If false, nothing happens at these times."""
    jitter_seconds: int
    """Each tick is delayed by up to this many seconds."""
    next: list[Timestamp]
