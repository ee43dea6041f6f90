"""Planning and DAGs over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from contracts.api.costs import PlanningAttempt, TokenUsage
from contracts.api.fields import MISSPELLED, Body, NonEmpty, NotBlank, Omissible, Row, Timestamp, Title
from contracts.api.filters import MinCost, Name, TextAndTime
from contracts.api.limits import RunLimits
from contracts.api.numbers import MaxTokens, Seed
from contracts.api.paging import ByCursor, Page, Pagination
from contracts.api.schedules import OverlapPolicy, SchedulePolicy
from contracts.core.event import Json
from contracts.core.suggestions import closest


class CreateDag(RunLimits, SchedulePolicy):
    """A goal to plan."""

    goal_text: Annotated[NotBlank, Field(alias="goal-text")]
    agent_name: NonEmpty
    """Name of an active agent. Its prompt is the system prompt."""
    provider: Omissible[str] = None
    model: Omissible[str] = None
    """Used only together with `provider`. Default: the provider and model of the agent or of the server."""
    max_tokens: Annotated[MaxTokens, Field(alias="max_tokens")] = 10_000
    """Maximum length of an answer in tokens. After a plan that was cut off, it is doubled."""
    temperature: Annotated[float, Field(allow_inf_nan=False)] = 0.7
    seed: Seed | None = None
    cron_schedule: Omissible[str] = None
    """Cron expression: 5 fields, 6 fields with seconds first, or a word such as `@daily`."""
    schedule_active: Omissible[bool] = None
    """Default: true if `cronSchedule` is given."""
    timezone: str = "UTC"
    """IANA time zone of the schedule and of `{{currentDate}}`."""


class Clarify(Body):
    """The answer to a clarification question."""

    answer: NotBlank


class DagPatch(SchedulePolicy):
    """Changes to a DAG. Omitted keys stay unchanged."""

    status: Omissible[str] = None
    """Any text. `paused` stops the schedule."""
    result: Omissible[dict[str, Json]] = None
    """A new job. It is validated when it is executed."""
    params: Omissible[dict[str, Json]] = None
    dag_title: Omissible[Title] = None
    cron_schedule: Omissible[str] = None
    """An empty string removes the expression. `scheduleActive` and `timezone` stay unchanged."""
    schedule_active: Omissible[bool] = None
    """The schedule fires if it is active and has an expression, unless the status is `paused`."""
    timezone: Omissible[str] = None


STATUSES = ("success", "pending", "planning", "failed", "active", "paused")
"""The statuses that the system or its web pages give. Clients may set others."""


class DagQuery(Page, ByCursor, TextAndTime):
    """Which DAGs to list."""

    status: str | None = None
    """`success`, `pending` (needs a clarification), `planning`, `failed`, or a status set by a client.

    Default: DAGs that have a plan or a clarification question.
    """

    agent: Name | None = None
    """Only DAGs that the agent with this name planned."""
    tool: Name | None = None
    """Only DAGs whose plan has a step of this tool."""
    min_cost_usd: MinCost | None = None
    """Only DAGs whose planning cost at least this many US dollars."""

    @field_validator("status")
    @classmethod
    def _is_not_misspelled(cls, status: str | None) -> str | None:
        """Clients may set any status, but hardly one that resembles another."""
        if status and status not in STATUSES and (meant := closest(status, STATUSES, likeness=MISSPELLED)):
            raise ValueError(f"no DAG has the status {status[:80]!r}; did you mean {meant!r}?")
        return status


class DagRow(Row):
    """A goal and its plan."""

    id: str
    status: str
    result: Json
    """The planned job. Null before planning succeeds."""
    usage: TokenUsage | None
    """Tokens used by the last planning attempt."""
    generation_stats: dict[str, Json] | None
    attempts: int
    params: dict[str, Json] | None
    agent_name: str | None
    dag_title: str | None
    clarification_query: str | None
    """The clarification question that the model asked."""
    error: dict[str, Json] | None
    """Why planning failed."""
    cron_schedule: str | None
    schedule_active: bool
    overlap: OverlapPolicy | None
    """What happens to a tick while an earlier execution is in progress. Null without a schedule."""
    catch_up_seconds: int | None
    jitter_seconds: int | None
    last_run_at: Timestamp | None
    timezone: str
    created_at: Timestamp
    updated_at: Timestamp
    planning_total_usage: TokenUsage | None
    planning_total_cost_usd: str | None
    """US dollars as exact decimal text."""
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
    """The cron expression in English."""
    schedule_active: Annotated[bool, Field(alias="schedule_active")]


class DagDeleted(Row):
    """The DAG was deleted."""

    message: str
    dag_id: str


class Planned(Row):
    """The plan is complete. If it does not cover the whole goal, `result` is the planned job."""

    status: Literal["success"]
    dag_id: str
    result: Json = None
    usage: TokenUsage | None = None
    generation_stats: Annotated[dict[str, Json] | None, Field(alias="generation_stats")] = None
    attempts: int | None = None


class ClarificationRequired(Row):
    """The goal needs a clarification. Answer the question before you plan or execute it."""

    status: Literal["clarification_required"]
    dag_id: str | None = None
    """The DAG to clarify. Omitted if the request contained a whole job, which is not stored."""
    clarification_query: Annotated[str, Field(alias="clarification_query")]
    result: Json = None
    usage: TokenUsage | None = None
    generation_stats: Annotated[dict[str, Json] | None, Field(alias="generation_stats")] = None
    validation: Json = None


class Executing(Row):
    """The plan is complete, and its execution is requested."""

    status: Literal["executing"]
    dag_id: str
    execution_id: str
    original_request: str
    total_tasks: int
    usage: TokenUsage | None
    generation_stats: Annotated[dict[str, Json] | None, Field(alias="generation_stats")]
    message: str


class StillPlanning(Row):
    """Planning continues. The header `Location` is the URL of the DAG."""

    status: Literal["planning"]
    dag_id: str
    execution_id: str | None = None
