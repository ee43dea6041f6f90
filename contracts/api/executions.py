"""Executions of DAGs over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from contracts.api.costs import TokenUsage
from contracts.api.fields import Absent, Body, NonEmpty, Omissible, Row, Timestamp, Title
from contracts.api.numbers import COERCED
from contracts.api.paging import FURTHEST, ByCursor, Page, Pagination
from contracts.core.event import Json
from contracts.domain.issues import unknown_key

ExecutionStatus = Literal["pending", "running", "waiting", "completed", "failed", "partial", "suspended"]
StepStatus = Literal["pending", "running", "waiting", "completed", "failed"]


class ExecutionQuery(Page, ByCursor):
    """Which executions to list."""

    status: ExecutionStatus | None = None


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
    """Also `pending` while its plan is made. A cancelled execution is `failed` and has `cancelledAt`."""
    started_at: Timestamp | None
    completed_at: Timestamp | None
    duration_ms: int | None
    """Since the last start or resume."""
    total_tasks: int
    completed_tasks: int
    failed_tasks: int
    waiting_tasks: int
    """Tasks that wait for a retry."""
    final_result: str | None
    synthesis_result: str | None
    suspended_reason: str | None
    suspended_at: Timestamp | None
    cancelled_reason: str | None
    cancelled_at: Timestamp | None
    retry_count: int
    last_retry_at: Timestamp | None
    total_usage: TokenUsage | None
    total_cost_usd: str | None
    """Exact decimal text."""
    trigger: Literal["api", "plan", "schedule"]
    """What requested it."""
    seq: int
    """Its position in the log. Send it as `Last-Event-ID` to get the events after it."""
    created_at: Timestamp
    updated_at: Timestamp


class SubStepRow(Row):
    """One step of an execution; the synthesis, `__SYNTHESIS__`, is the last."""

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
    """`waiting`: for a retry at `retryAt`."""
    attempt: int
    """Attempts started so far."""
    retry_at: Timestamp | None
    started_at: Timestamp | None
    completed_at: Timestamp | None
    duration_ms: int | None
    result: str | None
    """Text, or any other value as JSON text."""
    error: str | None
    usage: TokenUsage | None
    """Of all attempts together."""
    cost_usd: str | None
    """Of all attempts together, as exact decimal text."""
    provider: str | None
    model: str | None
    agent_id: str | None
    agent_version: str | None
    """Name of the agent's version, as it was then: agents can be edited in place."""
    finish_reason: str | None
    """Of a model's answer: `stop`, `length` (cut by max_tokens) or `content_filter`."""
    generation_stats: dict[str, Json] | None
    created_at: Timestamp
    updated_at: Timestamp


class ExecutionDetail(ExecutionRow):
    """One execution with its steps, in the order of their ids."""

    sub_steps: list[SubStepRow]


class ExecutionList(Row):
    """Executions, the ones that changed last first."""

    executions: list[ExecutionRow]
    pagination: Pagination


class DagExecutionRow(ExecutionRow):
    """One execution of a DAG that the client knows."""

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
    """What went with a deleted execution."""

    related_sub_steps_deleted: int


class ExecutionDeleted(Row):
    """The execution was deleted."""

    message: str
    execution_id: str
    cascade_info: Cascade


class ExecuteDag(Body):
    """A DAG by its id, or a whole job, in `job` or as the body itself."""

    model_config = ConfigDict(extra="allow")

    dag_id: Omissible[NonEmpty] = None
    job: Omissible[dict[str, Json]] = None
    dag_title: Omissible[Title] = None
    """Title of the DAG that a whole job becomes."""

    @model_validator(mode="after")
    def _only_a_whole_job_has_other_keys(self) -> ExecuteDag:
        other = self.model_extra or {}
        if other and "sub_tasks" not in other:
            raise unknown_key(
                next(iter(other)), (field.alias or "" for field in type(self).model_fields.values())
            )
        return self


class DagToRun(Body):
    """A DAG by its id."""

    dag_id: NonEmpty


class CancelExecution(Body):
    """Why it is cancelled."""

    reason: Omissible[Annotated[str, Field(min_length=1, max_length=1000)]] = None


class ExecutionStarted(Row):
    """The execution was requested."""

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
