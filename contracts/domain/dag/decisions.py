"""What may be decided about a DAG, given its state. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.core.aggregate import DomainError
from contracts.core.event import Event
from contracts.domain.dag.events import (
    Clarified,
    Deleted,
    Imported,
    Rejected,
    Requested,
    ScheduleSet,
    Updated,
)
from contracts.domain.dag.state import State, Status
from contracts.domain.plan import Job
from contracts.domain.schedule.schedule import Schedule


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
