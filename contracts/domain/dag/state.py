"""The state of a DAG, and how each event changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event, Json
from contracts.core.spent import Spent
from contracts.domain.budget import NOTHING_SPENT, Spending
from contracts.domain.dag.events import (
    TITLE_ATTEMPT,
    AttemptMade,
    AttemptStarted,
    ClarificationAsked,
    Clarified,
    Deleted,
    Imported,
    Planned,
    Rejected,
    Requested,
    ScheduleSet,
    Updated,
)
from contracts.domain.schedule.schedule import Schedule

Purpose = Literal["plan", "title"]
"""What a model is asked for."""


class Status(StrEnum):
    """Last token of the subject."""

    ABSENT = "absent"
    REQUESTED = "requested"
    """Waiting for a planner."""
    PLANNING = "planning"
    """At least one attempt has been made or started."""
    CLARIFICATION = "clarification"
    PLANNED = "planned"
    REJECTED = "rejected"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class State:
    """The current state of a DAG."""

    status: Status = Status.ABSENT
    request: Requested | None = None
    goal_text: str = ""
    """The goal, with all clarifications appended."""
    attempts: tuple[AttemptMade, ...] = ()
    """Attempts since the request or the last clarification."""
    spent: Spending = NOTHING_SPENT
    """What all attempts have cost, also those before a clarification."""
    asking: Mapping[Purpose, Spending] = field(default_factory=dict)
    """The most that calls in progress may cost. Empty for a plan without a budget."""
    job: Json = None
    """The plan as JSON. It is a valid Job unless a client has replaced it."""
    query: str | None = None
    title: str | None = None
    label: str = ""
    is_untrusted: bool = False
    """Whether the model that made the plan had read something from outside."""
    schedule: Schedule | None = None

    @property
    def timezone(self) -> str:
        """IANA time zone of the dates in the goal and the plan."""
        if self.schedule:
            return self.schedule.timezone
        return (self.request and self.request.timezone) or "UTC"

    @property
    def paused(self) -> bool:
        """Whether the schedule is paused."""
        return self.label == "paused"


def evolve(state: State, event: Event) -> State:  # noqa: PLR0911  one transition a line
    """The state after `event`. Never raises."""
    match event:
        case Requested():
            return State(Status.REQUESTED, event, event.goal_text, schedule=event.schedule)
        case AttemptStarted() | AttemptMade():
            return _attempted(state, event)
        case Planned() | Imported():
            return _planned(state, event)
        case ClarificationAsked():
            return replace(state, status=Status.CLARIFICATION, query=event.query, job=event.job)
        case Clarified():
            goal_text = state.goal_text + event.addition
            return replace(state, status=Status.REQUESTED, goal_text=goal_text, attempts=(), query=None)
        case Rejected():
            return replace(state, status=Status.REJECTED)
        case Updated():
            return _updated(state, event)
        case ScheduleSet():
            return replace(state, schedule=event.schedule)
        case Deleted():
            return State(Status.DELETED, request=state.request)
    return state


def _attempted(state: State, event: AttemptStarted | AttemptMade) -> State:
    """A call that was in progress when the next one of its kind starts was lost."""
    purpose: Purpose = "title" if event.reason == TITLE_ATTEMPT else "plan"
    state = replace(state, status=Status.PLANNING)
    if isinstance(event, AttemptStarted):
        most = NOTHING_SPENT.plus(Spent(unbilled=event.unbilled))
        lost = state.asking.get(purpose, NOTHING_SPENT)
        return replace(state, spent=state.spent.and_(lost), asking={**state.asking, purpose: most})
    asking = {other: most for other, most in state.asking.items() if other != purpose}
    attempts, spent = (*state.attempts, event), state.spent.plus(event)
    return replace(state, attempts=attempts, spent=spent, asking=asking)


def _planned(state: State, event: Planned | Imported) -> State:
    """Calls that are still in progress at the end were lost."""
    spent = state.spent
    for lost in state.asking.values():
        spent = spent.and_(lost)
    planned = replace(state, status=Status.PLANNED, job=event.job, label="success", spent=spent, asking={})
    is_untrusted = isinstance(event, Planned) and event.untrusted
    return replace(planned, title=event.title or state.title, is_untrusted=is_untrusted)


def _updated(state: State, event: Updated) -> State:
    return replace(
        state,
        label=state.label if event.label is None else event.label,
        job=state.job if event.job is None else event.job,
        is_untrusted=state.is_untrusted and event.job is None,
        title=state.title if event.title is None else event.title,
    )


DAG = Aggregate(
    "dag",
    State(),
    evolve,
    lambda state: state.status.value,
    (
        Requested,
        AttemptStarted,
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
