"""Events of goal runs, in which an agent works in turns.

Step ids: a turn has its number (`3`), a tool call the turn and its position (`3.0`, `3.1`, …), the final
answer is `summary`. Events are stored for ever: when a shape changes, raise its version and add an upcast.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.core.event import Event, Json
from contracts.domain.budget import Budget
from contracts.domain.memory import Memory
from contracts.domain.outward import OutwardCalls
from contracts.domain.run.events import ForkedFrom, Output, Prompted
from contracts.domain.webhook import WebhookEvent

SUMMARY = "summary"
"""Id of the last step of every goal run."""


class AgentUsed(BaseModel):
    """A copy of the agent's version, made when the run started."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str | None = None
    """Null only in old events: a run without an agent fails before it starts."""
    name: str
    version_name: str
    prompt_template: str
    provider: str | None = None
    model: str | None = None


class Call(BaseModel):
    """A tool call that the model asks for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    """Unique in the turn."""
    name: str
    arguments: dict[str, Json] = Field(default_factory=dict)
    refusal: str | None = None
    """Why the call is not executed; the model sees this text. Null: it is executed."""


class GoalRequested(Event):
    """A run of a goal by an agent was requested."""

    type: ClassVar[str] = "run.goal_requested"
    offloaded: ClassVar[frozenset[str]] = frozenset({"objective", "constraints"})
    goal_id: str
    objective: str
    step_budget: int
    """Maximum number of turns."""
    allowed_tools: tuple[str, ...] = ()
    """Names of the tools that the agent may call; empty: all tools."""
    constraints: dict[str, Json] = Field(default_factory=dict)
    temperature: float | None = None
    max_tokens: int | None = None
    agent_id: str | None = None
    webhook_url: str | None = None
    webhook_events: tuple[WebhookEvent, ...] = ("ended",)
    """What the URL is called about."""
    trigger: Literal["api", "schedule"] = "api"
    schedule_id: str | None = None
    timezone: str = "UTC"
    """IANA time zone of the dates in the agent's prompt."""
    outward_calls: OutwardCalls | None = None
    """The policy about calls that send something to others; null: the setting OUTWARD_CALLS."""
    provider: str | None = None
    """Provider of the model; null: that of the agent, or of the settings."""
    model: str | None = None
    """Name of the model; null: that of the agent, or of the settings."""
    forked_from: ForkedFrom | None = None
    """Null: the run is no fork."""
    budget: Budget | None = None
    """What the run may spend; null: it has no limits."""
    approvals: tuple[str, ...] = ()
    """Names of the tools of which a person must approve each call."""
    paid_by: str | None = None
    """The actor who pays for the models; null: the actor of this commit. See contracts.domain.payer."""


class GoalStarted(Event):
    """An executor started a pending goal run. Agent, tools, memories and limits are fixed now.

    A resumed run has this event again, with the agent and tools of that time and the memories of the first
    start.
    """

    type: ClassVar[str] = "run.goal_started"
    offloaded: ClassVar[frozenset[str]] = frozenset({"agent", "memories"})
    executor: str
    at: datetime
    agent: AgentUsed
    tools: tuple[str, ...] = ()
    """Names of the tools that the agent may call."""
    memories: tuple[Memory, ...] = ()
    """Memories of earlier runs of the goal."""
    temperature: float
    max_tokens: int
    remarks: tuple[str, ...] = ()
    """Differences from the request, with the reason, such as a replaced model."""


class TurnTaken(Prompted):
    """The model answered a turn. Its tool calls are not executed yet."""

    type: ClassVar[str] = "run.turn_taken"
    offloaded: ClassVar[frozenset[str]] = frozenset({"thought", "calls"})
    turn: int
    """Number of the turn, from 1."""
    attempt: int = 1
    thought: str
    calls: tuple[Call, ...] = ()
    finish_reason: str
    """`stop`, `tool_calls`, `length` or `content_filter`."""
    problem: str | None = None
    """Why the answer is unusable, such as an unreadable tool call; the model sees this text."""
    duration_ms: int = 0
    generation_stats: dict[str, Json] | None = None

    @property
    def step(self) -> str:
        """The step that this completes."""
        return str(self.turn)


class CallAnswered(Event):
    """A tool call of a turn completed with a final result."""

    type: ClassVar[str] = "run.call_answered"
    turn: int
    position: int
    """Position of the call in the turn, from 0."""
    attempt: int = 1
    result: Json = None
    """The value, or `{"$blob": …}` if it is large."""
    output: Output | None = None
    """The side effect of the tool call, for tools that declare one."""
    duration_ms: int = 0

    @property
    def step(self) -> str:
        """The step that this completes."""
        return call_step(self.turn, self.position)


class Summarised(Prompted):
    """The final answer of the run. If `provider` is null, no model wrote it."""

    type: ClassVar[str] = "run.summarised"
    offloaded: ClassVar[frozenset[str]] = frozenset({"summary"})
    attempt: int = 1
    summary: str
    finish_reason: str | None = None
    """`stop`, `length` or `content_filter`; null: no model wrote the summary, or the event is older than this
    field."""
    duration_ms: int = 0
    generation_stats: dict[str, Json] | None = None

    @property
    def step(self) -> str:
        """The step that this completes."""
        return SUMMARY


class Failed(Event):
    """A goal run failed. It can be resumed."""

    type: ClassVar[str] = "run.failed"
    error: str
    worked_ms: int = 0
    """Milliseconds that the run has been running, in total; 0 in events that are older than this field."""


def call_step(turn: int, position: int) -> str:
    """The step id of a tool call of a turn."""
    return f"{turn}.{position}"
