"""The decisions about a DAG: each takes the state and returns events. Pure."""

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


class NoClarificationPending(DomainError):
    """The DAG does not wait for a clarification."""


def request(state: State, wanted: Requested) -> list[Event]:
    """Request a plan. Returns no events if the DAG exists."""
    return [wanted] if state.status is Status.ABSENT else []


def import_job(state: State, job: Job, title: str | None = None) -> list[Event]:
    """Create a DAG with the plan of a client. Returns no events if the DAG exists."""
    return [Imported(job=job, title=title)] if state.status is Status.ABSENT else []


def plan(state: State, events: Sequence[Event]) -> list[Event]:
    """Record attempts and the end of planning (Planned, ClarificationAsked or Rejected).

    Returns no events if planning has ended.
    """
    return list(events) if is_planning(state) else []


def clarify(state: State, answer: str) -> list[Event]:
    """Answer the question of the model; planning continues.

    Raises:
        UnknownDag: there is no such DAG.
        NoClarificationPending: the DAG does not wait for a clarification.
    """
    require_known(state)
    if state.status is not Status.CLARIFICATION:
        raise NoClarificationPending(
            f"the DAG is {state.status}: only a DAG that waits for a clarification can be clarified"
        )
    return [Clarified(answer=answer)]


def update(state: State, changes: Updated) -> list[Event]:
    """Change fields of a DAG."""
    require_known(state)
    return [changes]


def set_schedule(state: State, schedule: Schedule | None) -> list[Event]:
    """Set, change or (None) remove the schedule. Returns no events if nothing changes."""
    require_known(state)
    return [] if schedule == state.schedule else [ScheduleSet(schedule=schedule)]


def cancel_planning(state: State, reason: str) -> list[Event]:
    """Cancel planning, or the wait for a clarification. Returns no events if planning has ended."""
    require_known(state)
    if not is_planning(state) and state.status is not Status.CLARIFICATION:
        return []
    return [Rejected(http_status=409, error=f"cancelled: {reason}")]


def delete(state: State) -> list[Event]:
    """Delete a DAG."""
    require_known(state)
    return [Deleted()]


def is_planning(state: State) -> bool:
    """Whether planning is requested or in progress."""
    return state.status in {Status.REQUESTED, Status.PLANNING}


def require_known(state: State) -> None:
    """Raises UnknownDag if the DAG does not exist or was deleted."""
    if state.status in {Status.ABSENT, Status.DELETED}:
        raise UnknownDag("there is no such DAG")
