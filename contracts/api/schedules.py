"""Schedules over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.api.fields import Body, Omissible, Query, Row, Timestamp
from contracts.api.numbers import COERCED, INTEGRAL
from contracts.api.paging import Page, Pagination
from contracts.domain.schedule.schedule import MAX_CATCH_UP_S, MAX_JITTER_S

OverlapPolicy = Literal["skip", "allow", "queue_one", "cancel_running"]
CatchUp = Annotated[int, Field(ge=0, le=MAX_CATCH_UP_S), INTEGRAL]
Jitter = Annotated[int, Field(ge=0, le=MAX_JITTER_S), INTEGRAL]
MOST_NEXT = 100


class SchedulePolicy(Body):
    """What becomes of ticks that come in each other's way, or late; what is left out stays as it is."""

    overlap: Omissible[OverlapPolicy] = None
    """What becomes of a tick while the run of an earlier one is still going; at first `skip`."""
    catch_up_seconds: CatchUp | None = None
    """How late a tick that was slept through may still fire; null: as the scheduler is set."""
    jitter_seconds: Omissible[Jitter] = None
    """Each tick comes up to so many seconds later; at first 0."""


class ScheduleCreate(Body):
    """When something is to be done by itself."""

    cron_expr: str
    """5 fields, 6 with seconds first, or a word such as `@daily`."""
    timezone: str = "UTC"
    """IANA name."""
    overlap: OverlapPolicy = "skip"
    """What becomes of a tick while the run of an earlier one is still going."""
    catch_up_seconds: CatchUp | None = None
    """How late a tick that was slept through may still fire; null: as the scheduler is set."""
    jitter_seconds: Jitter = 0
    """Each tick comes up to so many seconds later."""
    paused: bool = False
    """Held back, whatever becomes of its goal."""


class SchedulePatch(SchedulePolicy):
    """What to change; keys that are left out stay as they are."""

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
    """Whether it fires: it is not paused, and neither is its goal."""
    paused: bool
    """Held back, whatever becomes of its goal."""
    overlap: OverlapPolicy
    catch_up_seconds: int | None
    jitter_seconds: int
    last_run_at: Timestamp | None
    """The tick that fired last."""
    created_at: Timestamp
    updated_at: Timestamp


class TickRow(Row):
    """What was decided about one tick of a schedule."""

    schedule_id: str
    tick: Timestamp
    decision: Literal["fired", "queued", "skipped", "missed"]
    reason: str | None
    """Why it did not fire, or what else had to be done for it."""
    goal_id: str | None
    dag_id: str | None
    run_id: str | None
    """The run, or the execution of the DAG, that it asked for."""
    created_at: Timestamp
    """When it was decided first."""


class TickList(Row):
    """Ticks, newest first."""

    ticks: list[TickRow]
    pagination: Pagination


class TickQuery(Page):
    """Which ticks to list."""


class NextQuery(Query):
    """How many ticks to tell."""

    count: Annotated[int, Field(ge=1, le=MOST_NEXT), COERCED] = 10


class NextTicks(Row):
    """When a schedule comes next."""

    schedule_id: str
    cron_expr: str
    description: str
    """The expression in English."""
    timezone: str
    active: bool
    """Whether it fires; if not, nothing happens at these times."""
    jitter_seconds: int
    """Each tick comes up to so many seconds later."""
    next: list[Timestamp]
