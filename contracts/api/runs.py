"""Runs of goals over HTTP."""

from __future__ import annotations

from typing import Literal

from contracts.api.costs import TokenUsage
from contracts.api.fields import Row, Timestamp
from contracts.api.goals import GoalRow
from contracts.api.paging import ByCursor, Page
from contracts.core.event import Json
from contracts.domain.run import OutcomeReason

RunStatus = Literal["pending", "running", "completed", "failed"]
CallStatus = Literal["running", "waiting", "completed", "failed"]


class RunQuery(Page, ByCursor):
    """Which runs to list."""

    goal_id: str | None = None
    status: RunStatus | None = None


class RunRow(Row):
    """A run of a goal, and the goal as it is now."""

    id: str
    goal_id: str
    status: RunStatus
    """A cancelled run, or one whose plan is suspended, is `failed`; `error` says why."""
    started_at: Timestamp | None
    ended_at: Timestamp | None
    completed_at: Timestamp | None
    """The same as `endedAt`."""
    working_memory: dict[str, Json]
    """What each tool call gave, as `step_<number>_<tool>_<position>`, and `summary` once there is one.

    In lists, results of more than 4 KiB are only named."""
    step_budget: int
    """Maximum number of turns, or the number of steps of the plan."""
    steps_executed: int
    failed_calls: int
    """Tool calls of an agent that failed for good. A run with failed calls may be `completed`."""
    error: str | None
    """Why the run did not complete; of a completed run, the last tool call that failed."""
    outcome_reason: OutcomeReason | None
    """Why a run by an agent ended as `completed`, and whether it did what it was told: `done`,
    `budget_exhausted` (the turns were used up), `truncated` (the last answer was cut short), `calls_failed`
    (the last call of some tool failed) or `nothing_done` (calls were asked for, and none was made)."""
    strategy: Literal["agent", "dag"]
    dag_id: str | None
    """The plan that is executed, under `/dag-executions` by the id of the run, for the strategy `dag`."""
    trigger: Literal["api", "schedule"]
    """What requested it."""
    schedule_id: str | None
    agent_id: str | None
    agent_name: str | None
    agent_version: str | None
    provider: str | None
    model: str | None
    """The model that was used last."""
    remarks: list[str]
    """In what it differs from the request, and why."""
    cancelled_reason: str | None
    total_usage: TokenUsage | None
    total_cost_usd: str | None
    """Exact decimal text. Of a run by a plan, tokens and costs are with those of making the plan."""
    other_cost_usd: str | None
    """The part of it that is in no step: of the summary, of failed turns, of making the plan."""
    seq: int
    """Its position in the log. Send it as `Last-Event-ID` to get the events after it."""
    created_at: Timestamp
    updated_at: Timestamp
    goal: GoalRow


class ToolCallRow(Row):
    """A tool call of a step; what it gave stands in the step's observation."""

    id: str
    tool_name: str
    tool_input: Json
    status: CallStatus
    """`waiting` for another try."""
    error: str | None
    duration_ms: int | None


class RunStepRow(Row):
    """A step of a run: one turn of the agent, or one step of the plan."""

    id: str
    run_id: str
    step_no: int
    """From 1."""
    step_number: int
    """The same as `stepNo`."""
    thought: str
    tool_name: str | None
    """Of the first call that succeeded."""
    tool_input: Json
    observation: str | None
    """`[tool] result` of each call, those that succeeded first."""
    duration_ms: int
    """Of the tools."""
    thought_ms: int | None
    """Of the model."""
    error: str | None
    """When every call failed."""
    type: Literal["thinking", "tool", "result", "error"]
    content: str
    """The most important of the other fields, by `type`."""
    tool_calls: list[ToolCallRow]
    finish_reason: str | None
    provider: str | None
    model: str | None
    usage: TokenUsage | None
    cost_usd: str | None
    """Exact decimal text."""
    created_at: Timestamp


class RunOutputRow(Row):
    """What a run has left outside itself."""

    id: str
    run_id: str
    kind: Literal["summary", "file", "webhook", "email"]
    path_or_payload: str
    """The path of a file, the text of the summary, or JSON about what was sent."""
    created_at: Timestamp
