"""Runs of goals over HTTP."""

from __future__ import annotations

from typing import Literal

from contracts.api.costs import TokenUsage
from contracts.api.executions import Inherited
from contracts.api.fields import NonEmpty, Row, Timestamp
from contracts.api.filters import ByToolAndCost, Name
from contracts.api.goals import GoalRow
from contracts.api.paging import ByCursor, Page
from contracts.core.event import Json
from contracts.domain.outward import OutwardCalls, Ruling
from contracts.domain.run import OutcomeReason

RunStatus = Literal["pending", "running", "completed", "failed"]
CallStatus = Literal["running", "waiting", "completed", "failed"]


class RunQuery(Page, ByCursor, ByToolAndCost):
    """Which runs to list."""

    goal_id: str | None = None
    status: RunStatus | None = None
    agent: Name | None = None
    """Only runs by the agent with this name, in any version, or with this id."""
    forked_from: NonEmpty | None = None
    """Only forks of the run with this id."""


class RunRow(Row):
    """A run of a goal, and the current goal."""

    id: str
    goal_id: str
    status: RunStatus
    """A cancelled run, or one whose plan is suspended, is `failed`; `error` says why."""
    started_at: Timestamp | None
    ended_at: Timestamp | None
    completed_at: Timestamp | None
    """Equal to `endedAt`."""
    working_memory: dict[str, Json]
    """Result of each tool call, by `step_<number>_<tool>_<position>`, and `summary` if it exists.

    In lists, a note with the size replaces each result of more than 4 KiB."""
    step_budget: int
    """Maximum number of turns, or the number of steps of the plan."""
    steps_executed: int
    failed_calls: int
    """Number of tool calls that failed after all retries. A run with failed calls may be `completed`."""
    error: str | None
    """Why the run did not complete. For a completed run: the error of the last failed tool call."""
    outcome_reason: OutcomeReason | None
    """Why a run of the strategy `agent` completed, and whether it reached its goal: `done`,
    `budget_exhausted` (no turns left), `truncated` (the last answer was cut off), `calls_failed`
    (the last call of some tool failed) or `nothing_done` (the agent requested calls, but none was made)."""
    strategy: Literal["agent", "dag"]
    dag_id: str | None
    """For the strategy `dag`: the executed plan. The execution has the id of the run in `/dag-executions`."""
    trigger: Literal["api", "schedule"]
    """What requested the run."""
    schedule_id: str | None
    agent_id: str | None
    agent_name: str | None
    agent_version: str | None
    provider: str | None
    model: str | None
    """The last model used."""
    remarks: list[str]
    """How the run differs from the request, and why."""
    cancelled_reason: str | None
    outward_calls: OutwardCalls | None
    """The policy of this run about calls that send something to others; null: the setting OUTWARD_CALLS."""
    approvals: list[str]
    """Names of the tools of which a person must approve each call."""
    forked_from: str | None
    """Id of the run that this one is a fork of."""
    replaced_by: str | None
    """Id of the fork that replaces this run, which is cancelled."""
    retry_count: int
    """Number of times that the run was resumed."""
    total_usage: TokenUsage | None
    total_cost_usd: str | None
    """US dollars as exact decimal text. For the strategy `dag`, tokens and cost include planning."""
    other_cost_usd: str | None
    """The part of `totalCostUsd` that belongs to no step: the summary, failed turns, planning."""
    seq: int
    """Position of this state in the log. Send it as `Last-Event-ID` to get the events after it."""
    created_at: Timestamp
    updated_at: Timestamp
    goal: GoalRow


class ToolCallRow(Row):
    """A tool call of a step. Its result is in the step's `observation`."""

    id: str
    tool_name: str
    tool_input: Json
    status: CallStatus
    """`waiting` means that the call will be retried."""
    error: str | None
    duration_ms: int | None
    outward: Ruling | None
    """The decision about a call that sends something to others. Null: it sends nothing, or is undecided."""
    inherited: Inherited | None
    """Where a fork has the result of the call from; null: this run made the call."""


class RunStepRow(Row):
    """A step of a run: one turn of the agent, or one step of the plan."""

    id: str
    run_id: str
    step_no: int
    """Number of the step, from 1."""
    step_number: int
    """Equal to `stepNo`."""
    thought: str
    tool_name: str | None
    """Tool of the first call that succeeded."""
    tool_input: Json
    observation: str | None
    """`[tool] result` of each call, successful calls first."""
    duration_ms: int
    """Milliseconds that the tool calls took."""
    thought_ms: int | None
    """Milliseconds that the model took."""
    error: str | None
    """The errors of the calls. Set only if every call failed."""
    type: Literal["thinking", "tool", "result", "error"]
    content: str
    """The main text of the step, chosen by `type`."""
    tool_calls: list[ToolCallRow]
    inherited: Inherited | None
    """Where a fork has the step from: `original`, the run that was forked; `given`, the request for the fork.
    Null: this run executed the step. An inherited step has no cost."""
    finish_reason: str | None
    provider: str | None
    model: str | None
    usage: TokenUsage | None
    cost_usd: str | None
    """US dollars as exact decimal text."""
    created_at: Timestamp


class RunOutputRow(Row):
    """An output of a run."""

    id: str
    run_id: str
    kind: Literal["summary", "file", "webhook", "email"]
    path_or_payload: str
    """The path of the file, the text of the summary, or JSON that describes what was sent."""
    inherited: Literal["original"] | None
    """`original`: the run is a fork, and a step of its original wrote or sent this. Null: this run did."""
    created_at: Timestamp


class RunResumed(Row):
    """The run continues where it stopped."""

    status: Literal["resumed"]
    run_id: str
    goal_id: str
    retry_count: int
    """Number of times that the run was resumed."""
    message: str
