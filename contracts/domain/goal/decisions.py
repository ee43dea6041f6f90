"""The decisions about a goal: each takes the state and returns events. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.core.aggregate import DomainError
from contracts.core.event import Event
from contracts.domain.goal.events import (
    Archived,
    Created,
    Deleted,
    Paused,
    Resumed,
    ScheduleAdded,
    ScheduleChanged,
    ScheduleRemoved,
    Updated,
)
from contracts.domain.goal.state import State, Status, evolve
from contracts.domain.schedule.schedule import Schedule


class UnknownGoal(DomainError):
    """Goal not found"""


class UnknownSchedule(DomainError):
    """Schedule not found"""


def create(state: State, wanted: Created, schedules: Mapping[str, Schedule] | None = None) -> list[Event]:
    """Create a goal with its first schedules. Returns no events if the goal exists."""
    if state.status is not Status.ABSENT:
        return []
    added = [ScheduleAdded(schedule_id=id_, schedule=one) for id_, one in (schedules or {}).items()]
    return [wanted, *added]


def update(state: State, changes: Updated) -> list[Event]:
    """Change fields of a goal. Returns no events if nothing changes."""
    require_known(state)
    return [changes] if evolve(state, changes) != state else []


def pause(state: State) -> list[Event]:
    """Pause a goal: no new runs start. Runs in progress continue."""
    require_known(state)
    return [] if state.status is Status.PAUSED else [Paused()]


def resume(state: State) -> list[Event]:
    """Resume a paused or archived goal."""
    require_known(state)
    return [Resumed()] if evolve(state, Resumed()) != state else []


def archive(state: State) -> list[Event]:
    """Archive a goal."""
    require_known(state)
    return [] if state.status is Status.ARCHIVED else [Archived()]


def set_status(state: State, status: Status) -> list[Event]:
    """Make a goal active, paused or archived."""
    return {Status.ACTIVE: resume, Status.PAUSED: pause, Status.ARCHIVED: archive}[status](state)


def add_schedule(state: State, schedule_id: str, schedule: Schedule) -> list[Event]:
    """Add a schedule. The schedule of a goal that is not active is inactive until the goal is resumed."""
    require_known(state)
    if schedule_id in state.schedules:
        return []
    return [ScheduleAdded(schedule_id=schedule_id, schedule=_fitting(state, schedule))]


def change_schedule(state: State, schedule_id: str, schedule: Schedule) -> list[Event]:
    """Change a schedule. Returns no events if nothing changes.

    Raises:
        UnknownSchedule: the goal has none of this id.
    """
    require_schedule(state, schedule_id)
    wanted = _fitting(state, schedule)
    if wanted == state.schedules[schedule_id]:
        return []
    return [ScheduleChanged(schedule_id=schedule_id, schedule=wanted)]


def remove_schedule(state: State, schedule_id: str) -> list[Event]:
    """Remove a schedule.

    Raises:
        UnknownSchedule: the goal has none of this id.
    """
    require_schedule(state, schedule_id)
    return [ScheduleRemoved(schedule_id=schedule_id)]


def delete(state: State) -> list[Event]:
    """Delete a goal. The caller cancels its open runs first."""
    require_known(state)
    return [Deleted()]


def require_known(state: State) -> None:
    """Raises UnknownGoal if the goal does not exist or was deleted."""
    if state.status in {Status.ABSENT, Status.DELETED}:
        raise UnknownGoal


def require_schedule(state: State, schedule_id: str) -> None:
    """Raises UnknownGoal if there is no such goal, UnknownSchedule if it has no such schedule."""
    require_known(state)
    if schedule_id not in state.schedules:
        raise UnknownSchedule


def _fitting(state: State, schedule: Schedule) -> Schedule:
    return schedule if state.is_active else schedule.model_copy(update={"active": False})
