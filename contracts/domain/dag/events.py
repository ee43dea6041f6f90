"""Events of a DAG. Stored for ever: when a shape changes, raise its version and add an upcast."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from contracts.core.event import Event, Json
from contracts.core.spent import Charged
from contracts.domain.plan import Job
from contracts.domain.schedule.schedule import Schedule


class Requested(Event):
    """Somebody wants a plan for a goal."""

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
    """Execute the plan at once, as this run."""
    goal_id: str | None = None
    """The goal that the plan pursues, whose run it becomes."""
    webhook_url: str | None = None
    """Told how that run ends."""
    allowed_tools: tuple[str, ...] = ()
    """What the plan may use; none named: all."""
    trigger: Literal["api", "schedule"] = "api"
    timezone: str | None = None
    """IANA name, of what asked for it; that of the DAG's own schedule comes first."""

    def allows(self, tool: str) -> bool:
        """Whether the plan may use this tool."""
        return not self.allowed_tools or tool in self.allowed_tools


TITLE_ATTEMPT = "title_master"
"""The `reason` of an attempt that made the title, not the plan."""


class AttemptMade(Charged):
    """The model was asked once."""

    type: ClassVar[str] = "dag.attempt_made"
    attempt: int
    reason: str
    """`initial`, `retry_gaps`, `retry_parse_error`, `retry_validation` or `title_master`."""
    error: str | None = None
    generation_stats: dict[str, Json] | None = None
    answer: str | None = None
    """The beginning of an answer that could not be used."""
    gaps: tuple[str, ...] = ()
    """What the plan itself said was missing."""
    retry: str | None = None
    """Reason of the attempt that must follow; none when nothing is to be asked again."""


class Planned(Event):
    """There is a plan that can be executed."""

    type: ClassVar[str] = "dag.planned"
    offloaded: ClassVar[frozenset[str]] = frozenset({"job"})
    job: Job
    title: str | None = None


class ClarificationAsked(Event):
    """The model cannot plan before somebody answers its question."""

    type: ClassVar[str] = "dag.clarification_asked"
    offloaded: ClassVar[frozenset[str]] = frozenset({"job"})
    query: str
    job: Job


class Clarified(Event):
    """The question was answered; planning goes on."""

    type: ClassVar[str] = "dag.clarified"
    offloaded: ClassVar[frozenset[str]] = frozenset({"answer"})
    answer: str

    @property
    def addition(self) -> str:
        """What it adds to the goal."""
        return f"\n\nUser clarification: {self.answer}"


class Rejected(Event):
    """No plan came of it."""

    type: ClassVar[str] = "dag.rejected"
    offloaded: ClassVar[frozenset[str]] = frozenset({"details"})
    http_status: int
    """What a waiting client is told."""
    error: str
    details: dict[str, Json] = Field(default_factory=dict)
    """Further keys of the client's answer."""


class Imported(Event):
    """A client brought the plan itself."""

    type: ClassVar[str] = "dag.imported"
    offloaded: ClassVar[frozenset[str]] = frozenset({"job"})
    job: Job
    title: str | None = None


class Updated(Event):
    """Some fields changed; those not given stay."""

    type: ClassVar[str] = "dag.updated"
    offloaded: ClassVar[frozenset[str]] = frozenset({"job", "params"})
    label: str | None = None
    """What clients call the status: free text; `paused` stops the schedule."""
    job: Json = None
    """The new plan as given: checked again before it is executed."""
    params: dict[str, Json] | None = None
    title: str | None = None


class ScheduleSet(Event):
    """The schedule is this now; none removes it."""

    type: ClassVar[str] = "dag.schedule_set"
    schedule: Schedule | None = None


class Deleted(Event):
    """Gone from every view."""

    type: ClassVar[str] = "dag.deleted"
