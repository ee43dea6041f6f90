"""Planning and DAGs over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.api.costs import PlanningAttempt, TokenUsage
from contracts.api.fields import Body, NonEmpty, Omissible, Row, Timestamp, Title
from contracts.api.numbers import MaxTokens, Seed
from contracts.api.paging import ByCursor, Page, Pagination
from contracts.api.schedules import OverlapPolicy, SchedulePolicy
from contracts.core.event import Json


class CreateDag(SchedulePolicy):
    """A goal to be planned."""

    goal_text: Annotated[NonEmpty, Field(alias="goal-text")]
    agent_name: NonEmpty
    """An active agent, whose prompt is the system prompt."""
    provider: Omissible[str] = None
    model: Omissible[str] = None
    """Provider and model are used when both are given, else the agent's or the server's own."""
    max_tokens: Annotated[MaxTokens, Field(alias="max_tokens")] = 10_000
    temperature: Annotated[float, Field(allow_inf_nan=False)] = 0.7
    seed: Seed | None = None
    cron_schedule: Omissible[str] = None
    """5 fields, 6 with seconds first, or a word such as `@daily`."""
    schedule_active: Omissible[bool] = None
    """By default true when there is a `cronSchedule`, else false."""
    timezone: str = "UTC"
    """IANA name: whose clock the schedule goes by, and whose date `{{currentDate}}` is wherever it stands."""


class Clarify(Body):
    """The answer to the question that planning stopped at."""

    answer: NonEmpty


class DagPatch(SchedulePolicy):
    """What to change; keys that are left out stay as they are."""

    status: Omissible[str] = None
    """Free text; `paused` stops the schedule."""
    result: Omissible[dict[str, Json]] = None
    """Another job; it is checked when it is executed."""
    params: Omissible[dict[str, Json]] = None
    dag_title: Omissible[Title] = None
    cron_schedule: Omissible[str] = None
    """Empty takes the expression away; whether it is active, and where, stays."""
    schedule_active: Omissible[bool] = None
    """It fires when it is active and has an expression, unless the status is `paused`."""
    timezone: Omissible[str] = None


class DagQuery(Page, ByCursor):
    """Which DAGs to list."""

    status: str | None = None
    """`success`, `pending` (asks for a clarification), `planning`, `failed`, or what a client has set.

    By default those that have a plan or a question.
    """


class DagRow(Row):
    """A goal and the plan made of it."""

    id: str
    status: str
    result: Json
    """The job, null while there is none."""
    usage: TokenUsage | None
    """Of the last attempt."""
    generation_stats: dict[str, Json] | None
    attempts: int
    params: dict[str, Json] | None
    agent_name: str | None
    dag_title: str | None
    clarification_query: str | None
    """What the model wants to know before it can plan."""
    error: dict[str, Json] | None
    """Why there is no plan."""
    cron_schedule: str | None
    schedule_active: bool
    overlap: OverlapPolicy | None
    """What becomes of a tick while an earlier execution is still going; null without a schedule."""
    catch_up_seconds: int | None
    jitter_seconds: int | None
    last_run_at: Timestamp | None
    timezone: str
    created_at: Timestamp
    updated_at: Timestamp
    planning_total_usage: TokenUsage | None
    planning_total_cost_usd: str | None
    """Exact decimal text."""
    planning_attempts: list[PlanningAttempt] | None


class DagList(Row):
    """DAGs, newest first."""

    dags: list[DagRow]
    pagination: Pagination


class ScheduledDag(Row):
    """A DAG with a schedule."""

    id: str
    dag_title: Annotated[str | None, Field(alias="dag_title")]
    cron_schedule: Annotated[str, Field(alias="cron_schedule")]
    schedule_description: Annotated[str, Field(alias="schedule_description")]
    """In English."""
    schedule_active: Annotated[bool, Field(alias="schedule_active")]


class DagDeleted(Row):
    """The DAG is gone."""

    message: str
    dag_id: str


class Planned(Row):
    """There is a plan. One that does not cover the whole goal comes with its job."""

    status: Literal["success"]
    dag_id: str
    result: Json = None
    usage: TokenUsage | None = None
    generation_stats: Annotated[dict[str, Json] | None, Field(alias="generation_stats")] = None
    attempts: int | None = None


class ClarificationRequired(Row):
    """The goal cannot be planned or executed before somebody answers the question."""

    status: Literal["clarification_required"]
    dag_id: str | None = None
    """What to answer; missing when a whole job was to be executed, as nothing is stored of one that asks."""
    clarification_query: Annotated[str, Field(alias="clarification_query")]
    result: Json = None
    usage: TokenUsage | None = None
    generation_stats: Annotated[dict[str, Json] | None, Field(alias="generation_stats")] = None
    validation: Json = None


class Executing(Row):
    """There is a plan, and its execution is on its way."""

    status: Literal["executing"]
    dag_id: str
    execution_id: str
    original_request: str
    total_tasks: int
    usage: TokenUsage | None
    generation_stats: Annotated[dict[str, Json] | None, Field(alias="generation_stats")]
    message: str


class StillPlanning(Row):
    """Planning goes on; `Location` is where its outcome will be."""

    status: Literal["planning"]
    dag_id: str
    execution_id: str | None = None
