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
    """A goal to plan."""

    goal_text: Annotated[NonEmpty, Field(alias="goal-text")]
    agent_name: NonEmpty
    """Name of an active agent; its prompt is the system prompt."""
    provider: Omissible[str] = None
    model: Omissible[str] = None
    """Used together with `provider` only; otherwise those of the agent or of the server are used."""
    max_tokens: Annotated[MaxTokens, Field(alias="max_tokens")] = 10_000
    temperature: Annotated[float, Field(allow_inf_nan=False)] = 0.7
    seed: Seed | None = None
    cron_schedule: Omissible[str] = None
    """5 fields, 6 with seconds first, or a word such as `@daily`."""
    schedule_active: Omissible[bool] = None
    """Default: true if `cronSchedule` is given."""
    timezone: str = "UTC"
    """IANA name of the time zone of the schedule and of `{{currentDate}}`."""


class Clarify(Body):
    """The answer to a clarification question."""

    answer: NonEmpty


class DagPatch(SchedulePolicy):
    """The changes. Omitted keys stay unchanged."""

    status: Omissible[str] = None
    """Free text; `paused` stops the schedule."""
    result: Omissible[dict[str, Json]] = None
    """A new job. It is checked when it is executed."""
    params: Omissible[dict[str, Json]] = None
    dag_title: Omissible[Title] = None
    cron_schedule: Omissible[str] = None
    """Empty removes the expression; `scheduleActive` and `timezone` stay unchanged."""
    schedule_active: Omissible[bool] = None
    """The schedule fires if it is active and has an expression, unless the status is `paused`."""
    timezone: Omissible[str] = None


class DagQuery(Page, ByCursor):
    """Which DAGs to list."""

    status: str | None = None
    """`success`, `pending` (waits for a clarification), `planning`, `failed`, or a status set by a client.

    Default: those with a plan or a clarification question.
    """


class DagRow(Row):
    """A goal and its plan."""

    id: str
    status: str
    result: Json
    """The job; null until there is a plan."""
    usage: TokenUsage | None
    """Of the last attempt."""
    generation_stats: dict[str, Json] | None
    attempts: int
    params: dict[str, Json] | None
    agent_name: str | None
    dag_title: str | None
    clarification_query: str | None
    """The clarification question of the model."""
    error: dict[str, Json] | None
    """Why planning failed."""
    cron_schedule: str | None
    schedule_active: bool
    overlap: OverlapPolicy | None
    """What happens to a tick while an earlier execution is in progress; null without a schedule."""
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
    """The DAG was deleted."""

    message: str
    dag_id: str


class Planned(Row):
    """The plan was made. If it does not cover the whole goal, `result` holds its job."""

    status: Literal["success"]
    dag_id: str
    result: Json = None
    usage: TokenUsage | None = None
    generation_stats: Annotated[dict[str, Json] | None, Field(alias="generation_stats")] = None
    attempts: int | None = None


class ClarificationRequired(Row):
    """The clarification question must be answered before the goal can be planned or executed."""

    status: Literal["clarification_required"]
    dag_id: str | None = None
    """The DAG to clarify; missing if the request held a whole job, of which nothing is stored."""
    clarification_query: Annotated[str, Field(alias="clarification_query")]
    result: Json = None
    usage: TokenUsage | None = None
    generation_stats: Annotated[dict[str, Json] | None, Field(alias="generation_stats")] = None
    validation: Json = None


class Executing(Row):
    """The plan was made, and its execution was requested."""

    status: Literal["executing"]
    dag_id: str
    execution_id: str
    original_request: str
    total_tasks: int
    usage: TokenUsage | None
    generation_stats: Annotated[dict[str, Json] | None, Field(alias="generation_stats")]
    message: str


class StillPlanning(Row):
    """Planning continues; the header `Location` names the DAG that will have the plan."""

    status: Literal["planning"]
    dag_id: str
    execution_id: str | None = None
