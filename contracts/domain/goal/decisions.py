"""What may be decided about a goal, given its state. Pure."""

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
    """A goal, and the schedules it has from the beginning; asking again for one that exists is nothing."""
    if state.status is not Status.ABSENT:
        return []
    added = [ScheduleAdded(schedule_id=id_, schedule=one) for id_, one in (schedules or {}).items()]
    return [wanted, *added]


def update(state: State, changes: Updated) -> list[Event]:
    """Change fields; a change to what already is, is nothing."""
    require_known(state)
    return [changes] if evolve(state, changes) != state else []


def pause(state: State) -> list[Event]:
    """Stop pursuing it; runs that are going go on."""
    require_known(state)
    return [] if state.status is Status.PAUSED else [Paused()]


def resume(state: State) -> list[Event]:
    """Pursue it again."""
    require_known(state)
    return [Resumed()] if evolve(state, Resumed()) != state else []


def archive(state: State) -> list[Event]:
    """Put it away."""
    require_known(state)
    return [] if state.status is Status.ARCHIVED else [Archived()]


def set_status(state: State, status: Status) -> list[Event]:
    """What makes it active, paused or archived."""
    return {Status.ACTIVE: resume, Status.PAUSED: pause, Status.ARCHIVED: archive}[status](state)


def add_schedule(state: State, schedule_id: str, schedule: Schedule) -> list[Event]:
    """One more schedule; that of a goal which is not active is inactive until the goal is resumed."""
    require_known(state)
    if schedule_id in state.schedules:
        return []
    return [ScheduleAdded(schedule_id=schedule_id, schedule=_fitting(state, schedule))]


def change_schedule(state: State, schedule_id: str, schedule: Schedule) -> list[Event]:
    """Another form of a schedule; the one it has already is nothing.

    Raises:
        UnknownSchedule: the goal has none of this id.
    """
    require_schedule(state, schedule_id)
    wanted = _fitting(state, schedule)
    if wanted == state.schedules[schedule_id]:
        return []
    return [ScheduleChanged(schedule_id=schedule_id, schedule=wanted)]


def remove_schedule(state: State, schedule_id: str) -> list[Event]:
    """Take a schedule away.

    Raises:
        UnknownSchedule: the goal has none of this id.
    """
    require_schedule(state, schedule_id)
    return [ScheduleRemoved(schedule_id=schedule_id)]


def delete(state: State) -> list[Event]:
    """Remove a goal. The caller cancels its open runs first."""
    require_known(state)
    return [Deleted()]


def require_known(state: State) -> None:
    """Raises UnknownGoal for a goal that never was or was deleted."""
    if state.status in {Status.ABSENT, Status.DELETED}:
        raise UnknownGoal


def require_schedule(state: State, schedule_id: str) -> None:
    """Raises UnknownSchedule for one that the goal does not have, UnknownGoal for a goal that is not."""
    require_known(state)
    if schedule_id not in state.schedules:
        raise UnknownSchedule


def _fitting(state: State, schedule: Schedule) -> Schedule:
    return schedule if state.is_active else schedule.model_copy(update={"active": False})
