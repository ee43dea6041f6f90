"""Events of goal runs: the agent loop, turn by turn.

A turn is a step called by its number (`3`), a tool call of it one called `3.0`, `3.1`, …; the final answer is
the step `summary`. Events are stored for ever: when a shape changes, raise its version and add an upcast.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.core.event import Event, Json
from contracts.core.spent import Charged
from contracts.domain.memory import Memory
from contracts.domain.run.events import Output

SUMMARY = "summary"
"""Id of the last step of every goal run."""


class AgentUsed(BaseModel):
    """The version of an agent as it was when the run started: what the model was really told."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str | None = None
    """None only in old histories: a run without an agent fails before it starts."""
    name: str
    version_name: str
    prompt_template: str
    provider: str | None = None
    model: str | None = None


class Call(BaseModel):
    """A tool call that the model wants made."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    """Unique in its turn."""
    name: str
    arguments: dict[str, Json] = Field(default_factory=dict)
    refusal: str | None = None
    """Why it is not made; the model is told so."""


class GoalRequested(Event):
    """Somebody wants a goal pursued by an agent, turn by turn."""

    type: ClassVar[str] = "run.goal_requested"
    offloaded: ClassVar[frozenset[str]] = frozenset({"objective", "constraints"})
    goal_id: str
    objective: str
    step_budget: int
    """Turns at most."""
    allowed_tools: tuple[str, ...] = ()
    """None named: all."""
    constraints: dict[str, Json] = Field(default_factory=dict)
    temperature: float | None = None
    max_tokens: int | None = None
    agent_id: str | None = None
    webhook_url: str | None = None
    trigger: Literal["api", "schedule"] = "api"
    schedule_id: str | None = None
    timezone: str = "UTC"
    """In which the agent is told the time."""


class GoalStarted(Event):
    """An executor holds the lease on a pending goal run; what it runs is fixed now."""

    type: ClassVar[str] = "run.goal_started"
    offloaded: ClassVar[frozenset[str]] = frozenset({"agent", "memories"})
    executor: str
    at: datetime
    agent: AgentUsed
    tools: tuple[str, ...] = ()
    """Names of the tools it may call."""
    memories: tuple[Memory, ...] = ()
    """What earlier runs of the goal left for this one."""
    temperature: float
    max_tokens: int
    remarks: tuple[str, ...] = ()
    """Where it is not as it was asked for, and why."""


class TurnTaken(Charged):
    """The model has answered; its tool calls have not been made yet."""

    type: ClassVar[str] = "run.turn_taken"
    offloaded: ClassVar[frozenset[str]] = frozenset({"thought", "calls"})
    turn: int
    """From 1."""
    attempt: int = 1
    thought: str
    calls: tuple[Call, ...] = ()
    finish_reason: str
    """stop, tool_calls, length or content_filter."""
    problem: str | None = None
    """What is wrong with the answer itself, as the model is told: a tool call that cannot be read."""
    duration_ms: int = 0
    generation_stats: dict[str, Json] | None = None

    @property
    def step(self) -> str:
        """The step that this completes."""
        return str(self.turn)


class CallAnswered(Event):
    """A tool call of a turn has its result, for good."""

    type: ClassVar[str] = "run.call_answered"
    turn: int
    position: int
    """In the turn, from 0."""
    attempt: int = 1
    result: Json = None
    """The value itself, or `{"$blob": …}` when it is large."""
    output: Output | None = None
    """What the tool says that this call has left outside the run."""
    duration_ms: int = 0

    @property
    def step(self) -> str:
        """The step that this completes."""
        return call_step(self.turn, self.position)


class Summarised(Charged):
    """The final answer; without a provider, no model wrote it."""

    type: ClassVar[str] = "run.summarised"
    offloaded: ClassVar[frozenset[str]] = frozenset({"summary"})
    attempt: int = 1
    summary: str
    finish_reason: str | None = None
    """stop, length or content_filter; None where no model wrote it, or the event is older than this field."""
    duration_ms: int = 0
    generation_stats: dict[str, Json] | None = None

    @property
    def step(self) -> str:
        """The step that this completes."""
        return SUMMARY


class Failed(Event):
    """A goal run cannot go on, and will not."""

    type: ClassVar[str] = "run.failed"
    error: str


def call_step(turn: int, position: int) -> str:
    """The id of the step that makes one call of a turn."""
    return f"{turn}.{position}"
