"""Events of a DAG. Stored for ever: when a shape changes, raise its version and add an upcast."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from contracts.core.event import Event, Json
from contracts.core.spent import Charged, Unbilled
from contracts.domain.budget import Budget
from contracts.domain.outward import OutwardCalls
from contracts.domain.plan import Job
from contracts.domain.schedule.schedule import Schedule
from contracts.domain.webhook import WebhookEvent


class Requested(Event):
    """A plan for a goal was requested."""

    type: ClassVar[str] = "dag.requested"
    offloaded: ClassVar[frozenset[str]] = frozenset({"goal_text"})
    goal_text: str
    agent_name: str
    provider: str | None = None
    model: str | None = None
    max_tokens: int = 10_000
    temperature: float = 0.7
    seed: int | None = None
    schedule: Schedule | None = None
    run_id: str | None = None
    """Id of the run that executes the plan as soon as it is made; null: the plan is not executed."""
    goal_id: str | None = None
    """The goal that the plan is made for; the run belongs to this goal."""
    webhook_url: str | None = None
    """URL that is called about that run."""
    webhook_events: tuple[WebhookEvent, ...] = ("ended",)
    """What the URL is called about."""
    allowed_tools: tuple[str, ...] = ()
    """Names of the tools that the plan may use; empty: all tools."""
    trigger: Literal["api", "schedule"] = "api"
    timezone: str | None = None
    """IANA time zone of the request. The time zone of the DAG's schedule has precedence."""
    outward_calls: OutwardCalls | None = None
    """The policy of the plan about calls that send something to others; null: the setting OUTWARD_CALLS."""
    budget: Budget | None = None
    """What a run of the plan may spend; null: no limits. Planning counts for the run that it is made for."""
    approvals: tuple[str, ...] = ()
    """Names of the tools of which a person must approve each call, whatever the plan says."""
    paid_by: str | None = None
    """The actor who pays for the models; null: the actor of this commit. See contracts.domain.payer."""

    def allows(self, tool: str) -> bool:
        """Whether the plan may use this tool."""
        return not self.allowed_tools or tool in self.allowed_tools


TITLE_ATTEMPT = "title_master"
"""The `reason` of an attempt that asked for the title instead of the plan."""


class AttemptStarted(Event):
    """The model is about to be asked for a plan, or for the title, within the budget of the run.

    If no AttemptMade follows, the planner was stopped during the call, and what it may have cost counts.
    """

    type: ClassVar[str] = "dag.attempt_started"
    attempt: int
    reason: str
    """As in AttemptMade."""
    unbilled: Unbilled
    """The most that the call may cost."""


class AttemptMade(Charged):
    """The model was asked once for a plan, or for the title."""

    type: ClassVar[str] = "dag.attempt_made"
    attempt: int
    reason: str
    """`initial`, `retry_gaps`, `retry_parse_error`, `retry_validation` or `title_master`."""
    error: str | None = None
    generation_stats: dict[str, Json] | None = None
    answer: str | None = None
    """The beginning of an unusable answer."""
    gaps: tuple[str, ...] = ()
    """Gaps that the plan itself lists."""
    retry: str | None = None
    """Reason of the next attempt; null: no attempt follows."""


class Planned(Event):
    """Planning ended with a plan that can be executed."""

    type: ClassVar[str] = "dag.planned"
    offloaded: ClassVar[frozenset[str]] = frozenset({"job"})
    job: Job
    title: str | None = None
    untrusted: bool = False
    """Whether the model had read something from outside, such as memories or descriptions of MCP tools."""


class ClarificationAsked(Event):
    """The model asks the user a question; planning continues after the answer."""

    type: ClassVar[str] = "dag.clarification_asked"
    offloaded: ClassVar[frozenset[str]] = frozenset({"job"})
    query: str
    job: Job


class Clarified(Event):
    """The question of the model was answered; planning continues."""

    type: ClassVar[str] = "dag.clarified"
    offloaded: ClassVar[frozenset[str]] = frozenset({"answer"})
    answer: str

    @property
    def addition(self) -> str:
        """The text that is added to the goal."""
        return f"\n\nUser clarification: {self.answer}"


class Rejected(Event):
    """Planning ended without a plan."""

    type: ClassVar[str] = "dag.rejected"
    offloaded: ClassVar[frozenset[str]] = frozenset({"details"})
    http_status: int
    """HTTP status of the answer to a waiting client."""
    error: str
    details: dict[str, Json] = Field(default_factory=dict)
    """Further fields of the answer to the client."""


class Imported(Event):
    """A client created the DAG with a plan of its own."""

    type: ClassVar[str] = "dag.imported"
    offloaded: ClassVar[frozenset[str]] = frozenset({"job"})
    job: Job
    title: str | None = None


class Updated(Event):
    """Fields of the DAG changed. A field that is null is unchanged."""

    type: ClassVar[str] = "dag.updated"
    offloaded: ClassVar[frozenset[str]] = frozenset({"job", "params"})
    label: str | None = None
    """The status that clients see, free text; `paused` stops the schedule."""
    job: Json = None
    """The new plan as the client sent it; it is validated before it is executed."""
    params: dict[str, Json] | None = None
    title: str | None = None


class ScheduleSet(Event):
    """The schedule was set; null: it was removed."""

    type: ClassVar[str] = "dag.schedule_set"
    schedule: Schedule | None = None


class Deleted(Event):
    """The DAG was deleted."""

    type: ClassVar[str] = "dag.deleted"
