"""Executions of DAGs over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from contracts.api.costs import TokenUsage
from contracts.api.fields import Absent, Body, NonEmpty, Omissible, Row, Timestamp, Title
from contracts.api.filters import ByToolAndCost, Name
from contracts.api.limits import OwnLimits
from contracts.api.numbers import COERCED
from contracts.api.paging import FURTHEST, ByCursor, Page, Pagination
from contracts.core.event import Json
from contracts.domain.issues import unknown_key
from contracts.domain.outward import OutwardCalls, Ruling

ExecutionStatus = Literal["pending", "running", "waiting", "completed", "failed", "partial", "suspended"]
Inherited = Literal["original", "given"]
StepStatus = Literal["pending", "running", "waiting", "completed", "failed"]


class ExecutionQuery(Page, ByCursor, ByToolAndCost):
    """Which executions to list."""

    status: ExecutionStatus | None = None
    agent: Name | None = None
    """Only executions of a plan that the agent with this name made, or with a step of the agent with this
    name or id."""
    forked_from: NonEmpty | None = None
    """Only forks of the execution with this id."""


class DagExecutionQuery(ExecutionQuery):
    """Which executions of one DAG to list."""

    limit: Annotated[int, Field(ge=1, le=FURTHEST), COERCED] = 50


class ExecutionRow(Row):
    """One execution of a DAG."""

    dag_title: str | None
    id: str
    dag_id: str
    original_request: str
    primary_intent: str
    status: ExecutionStatus
    """`pending` also during planning. A cancelled execution is `failed` and has `cancelledAt`."""
    started_at: Timestamp | None
    completed_at: Timestamp | None
    duration_ms: int | None
    """Milliseconds since the last start or resume."""
    total_tasks: int
    completed_tasks: int
    failed_tasks: int
    waiting_tasks: int
    """Number of tasks that wait for a retry."""
    final_result: str | None
    synthesis_result: str | None
    suspended_reason: str | None
    suspended_at: Timestamp | None
    cancelled_reason: str | None
    cancelled_at: Timestamp | None
    outward_calls: OutwardCalls | None
    """The policy of this run about calls that send something to others; null: the setting OUTWARD_CALLS."""
    approvals: list[str]
    """Names of the tools of which a person must approve each call."""
    forked_from: str | None
    """Id of the execution or run that this one is a fork of."""
    replaced_by: str | None
    """Id of the fork that replaces this execution, which is cancelled."""
    retry_count: int
    last_retry_at: Timestamp | None
    total_usage: TokenUsage | None
    total_cost_usd: str | None
    """US dollars as exact decimal text."""
    trigger: Literal["api", "plan", "schedule"]
    """What requested the execution."""
    seq: int
    """Position of this state in the log. Send it as `Last-Event-ID` to get the events after it."""
    created_at: Timestamp
    updated_at: Timestamp


class SubStepRow(Row):
    """One step of an execution. The synthesis, `__SYNTHESIS__`, is the last step."""

    id: str
    execution_id: str
    task_id: str
    description: str
    thought: str
    action_type: Literal["tool", "inference"]
    tool_or_prompt_name: str
    tool_or_prompt_params: dict[str, Json]
    dependencies: list[str]
    status: StepStatus
    """`waiting` means that the step is retried at `retryAt`."""
    attempt: int
    """Number of attempts started so far."""
    retry_at: Timestamp | None
    started_at: Timestamp | None
    completed_at: Timestamp | None
    duration_ms: int | None
    result: str | None
    """A text. Any other value is encoded as JSON text."""
    inherited: Inherited | None
    """Where a fork has the result from: `original`, the forked execution; `given`, the request for the fork.
    Null: this execution ran the step. An inherited step has no cost."""
    error: str | None
    outward: Ruling | None
    """The decision about a call that sends something to others. Null: it sends nothing, or is undecided."""
    usage: TokenUsage | None
    """Tokens used by all attempts together."""
    cost_usd: str | None
    """Cost of all attempts together, in US dollars as exact decimal text."""
    provider: str | None
    model: str | None
    agent_id: str | None
    agent_version: str | None
    """Version of the agent at the time of the step. Later edits of the agent do not change it."""
    finish_reason: str | None
    """Why the model stopped: `stop`, `length` (cut off at `max_tokens`) or `content_filter`."""
    generation_stats: dict[str, Json] | None
    created_at: Timestamp
    updated_at: Timestamp


class ExecutionDetail(ExecutionRow):
    """One execution with its steps, in the order of their ids."""

    sub_steps: list[SubStepRow]


class ExecutionList(Row):
    """Executions, most recently changed first."""

    executions: list[ExecutionRow]
    pagination: Pagination


class DagExecutionRow(ExecutionRow):
    """One execution, without the title of its DAG."""

    dag_title: Annotated[str | None, Field(exclude=True)] = None


class DagExecutionList(Row):
    """Executions of one DAG, newest first."""

    executions: list[DagExecutionRow]
    total: Absent[int] = None
    limit: Absent[int] = None
    offset: Absent[int] = None
    pagination: Pagination


class SubStepList(Row):
    """The steps of one execution, in the order of their ids."""

    execution_id: str
    sub_steps: list[SubStepRow]


class Cascade(Row):
    """What was deleted together with an execution."""

    related_sub_steps_deleted: int


class ExecutionDeleted(Row):
    """The execution was deleted."""

    message: str
    execution_id: str
    cascade_info: Cascade


OF_JOBS = {"budget", "approvals"}
"""Keys that limit an execution, and that jobs have, too."""


class ExecuteDag(OwnLimits):
    """The id of a DAG, or a whole job, and what this execution may do.

    The job is in `job`, or is the body itself.
    """

    model_config = ConfigDict(extra="allow")

    dag_id: Omissible[NonEmpty] = None
    job: Omissible[dict[str, Json]] = None
    dag_title: Omissible[Title] = None
    """Title of the DAG that is created from a whole job."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls_of_a_whole_job(cls, given: Json) -> Json:
        """A job may have null where a body may not."""
        if not isinstance(given, dict) or "sub_tasks" not in given:
            return given
        return {key: value for key, value in given.items() if value is not None or key not in OF_JOBS}

    @property
    def whole_job(self) -> dict[str, Json] | None:
        """The job that is the body itself, with its own limits; None if the body is not a job."""
        others = self.model_extra or {}
        if "sub_tasks" not in others:
            return None
        limits = self.model_dump(mode="json", include=OF_JOBS, exclude_none=True)
        return {**others, **limits}

    @model_validator(mode="after")
    def _only_a_whole_job_has_other_keys(self) -> ExecuteDag:
        other = self.model_extra or {}
        if other and "sub_tasks" not in other:
            raise unknown_key(
                next(iter(other)), (field.alias or "" for field in type(self).model_fields.values())
            )
        return self


class DagToRun(OwnLimits):
    """The id of a DAG, and what this execution may do."""

    dag_id: NonEmpty


class CancelExecution(Body):
    """The reason for a cancellation."""

    reason: Omissible[Annotated[str, Field(min_length=1, max_length=1000)]] = None


class ExecutionStarted(Row):
    """The execution is requested."""

    status: Literal["started"]
    execution_id: str
    dag_id: str
    original_request: str
    total_tasks: int
    message: str


class ExecutionResumed(Row):
    """The execution continues where it stopped."""

    status: Literal["resumed"]
    execution_id: str
    dag_id: str
    retry_count: int
    message: str
