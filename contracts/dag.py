"""A DAG: a goal in plain words and the plan made of it.

Written by the gateway (requested, clarified, imported, updated, schedule_set, deleted) and the planner.
Events are stored for ever: when a shape changes, raise its version and add an upcast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field

from contracts.aggregate import Aggregate, DomainError
from contracts.event import Event, Json, Usage
from contracts.plan import Job
from contracts.scheduling import Schedule

# ── events ──────────────────────────────────────────────────────────────────────────────────────────────


class Requested(Event):
    """Somebody wants a plan for a goal."""

    type: ClassVar[str] = "dag.requested"
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

    def allows(self, tool: str) -> bool:
        """Whether the plan may use this tool."""
        return not self.allowed_tools or tool in self.allowed_tools


class AttemptMade(Event):
    """The model was asked once."""

    type: ClassVar[str] = "dag.attempt_made"
    attempt: int
    reason: str
    """initial, retry_gaps, retry_parse_error, retry_validation or title_master."""
    usage: Usage | None = None
    cost_usd: str | None = None
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
    answer: str


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


# ── state ───────────────────────────────────────────────────────────────────────────────────────────────


class Status(StrEnum):
    """Last token of the subject."""

    ABSENT = "absent"
    REQUESTED = "requested"
    """Waits for a planner."""
    PLANNING = "planning"
    """At least one attempt has been made."""
    CLARIFICATION = "clarification"
    PLANNED = "planned"
    REJECTED = "rejected"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class State:
    """The DAG as it stands."""

    status: Status = Status.ABSENT
    request: Requested | None = None
    goal_text: str = ""
    """The goal with every clarification added."""
    attempts: tuple[AttemptMade, ...] = ()
    """Since the request or the last clarification."""
    job: Json = None
    """The plan as JSON; a Job until a client put something else in its place."""
    query: str | None = None
    title: str | None = None
    label: str = ""
    schedule: Schedule | None = None

    @property
    def paused(self) -> bool:
        """Whether its schedule must not fire."""
        return self.label == "paused"


def evolve(state: State, event: Event) -> State:  # noqa: PLR0911  one transition a line
    """The state after `event`. Records; never refuses."""
    match event:
        case Requested():
            return State(Status.REQUESTED, event, event.goal_text, schedule=event.schedule)
        case AttemptMade():
            return replace(state, status=Status.PLANNING, attempts=(*state.attempts, event))
        case Planned() | Imported():
            title = event.title or state.title
            return replace(state, status=Status.PLANNED, job=event.job, title=title, label="success")
        case ClarificationAsked():
            return replace(state, status=Status.CLARIFICATION, query=event.query, job=event.job)
        case Clarified():
            goal_text = f"{state.goal_text}\n\nUser clarification: {event.answer}"
            return replace(state, status=Status.REQUESTED, goal_text=goal_text, attempts=(), query=None)
        case Rejected():
            return replace(state, status=Status.REJECTED)
        case Updated():
            return _updated(state, event)
        case ScheduleSet():
            return replace(state, schedule=event.schedule)
        case Deleted():
            return State(Status.DELETED)
    return state


def _updated(state: State, event: Updated) -> State:
    return replace(
        state,
        label=state.label if event.label is None else event.label,
        job=state.job if event.job is None else event.job,
        title=state.title if event.title is None else event.title,
    )


DAG = Aggregate(
    "dag",
    State(),
    evolve,
    lambda state: state.status.value,
    (
        Requested,
        AttemptMade,
        Planned,
        ClarificationAsked,
        Clarified,
        Rejected,
        Imported,
        Updated,
        ScheduleSet,
        Deleted,
    ),
)


# ── decisions ───────────────────────────────────────────────────────────────────────────────────────────


class UnknownDag(DomainError):
    """There is no such DAG."""


class NothingAsked(DomainError):
    """The DAG does not wait for a clarification."""


def request(state: State, wanted: Requested) -> list[Event]:
    """Ask for a plan; asking again for one that exists is nothing."""
    return [wanted] if state.status is Status.ABSENT else []


def import_job(state: State, job: Job, title: str | None = None) -> list[Event]:
    """A DAG with a plan that a client brought."""
    return [Imported(job=job, title=title)] if state.status is Status.ABSENT else []


def attempt(state: State, made: AttemptMade) -> list[Event]:
    """Record one answer of the model while planning."""
    return [made] if is_planning(state) else []


def plan(state: State, events: Sequence[Event]) -> list[Event]:
    """The end of planning: Planned, ClarificationAsked or Rejected, with what led to it."""
    return list(events) if is_planning(state) else []


def clarify(state: State, answer: str) -> list[Event]:
    """Answer the model's question, so that planning goes on."""
    require_known(state)
    if state.status is not Status.CLARIFICATION:
        raise NothingAsked(
            f"this DAG is {state.status}; only one that asked for a clarification can be answered"
        )
    return [Clarified(answer=answer)]


def update(state: State, changes: Updated) -> list[Event]:
    """Change fields of a DAG."""
    require_known(state)
    return [changes]


def set_schedule(state: State, schedule: Schedule | None) -> list[Event]:
    """Give it a schedule, change it, or take it away; the one it has already is nothing."""
    require_known(state)
    return [] if schedule == state.schedule else [ScheduleSet(schedule=schedule)]


def call_off(state: State, reason: str) -> list[Event]:
    """End planning, or waiting for an answer, without a plan; after that it is nothing."""
    require_known(state)
    if not is_planning(state) and state.status is not Status.CLARIFICATION:
        return []
    return [Rejected(http_status=409, error=f"cancelled: {reason}")]


def delete(state: State) -> list[Event]:
    """Remove a DAG."""
    require_known(state)
    return [Deleted()]


def is_planning(state: State) -> bool:
    """Whether a planner has it or should have it."""
    return state.status in {Status.REQUESTED, Status.PLANNING}


def require_known(state: State) -> None:
    """Raises UnknownDag for a DAG that never was or was deleted."""
    if state.status in {Status.ABSENT, Status.DELETED}:
        raise UnknownDag("there is no such DAG")
