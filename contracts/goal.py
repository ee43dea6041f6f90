"""A goal: what is to be reached again and again, by whom, with what, and when.

Written by the gateway. Events are stored for ever: when a shape changes, raise its version and add an upcast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from contracts.aggregate import Aggregate, DomainError
from contracts.event import Event, Json
from contracts.scheduling import Schedule


class Params(BaseModel):
    """How a goal is to be pursued; what is not given is left to the settings."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True)

    strategy: Literal["agent", "dag"] | None = None
    """By an agent's turns (the default), or by a plan that is made and executed."""
    step_budget: int | None = None
    """Turns at most."""
    allowed_tools: tuple[str, ...] | None = None
    """Empty or not given: all."""
    constraints: dict[str, Json] | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    def as_json(self) -> dict[str, Json]:
        """As clients give and see it: only what was given, in camelCase."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────


class Created(Event):
    """There is a goal; it is active."""

    type: ClassVar[str] = "goal.created"
    offloaded: ClassVar[frozenset[str]] = frozenset({"objective", "params"})
    objective: str
    params: Params = Params()
    webhook_url: str | None = None
    """Told how each run ends."""
    agent_id: str | None = None
    """The version that pursues it, whichever version is active later."""


class Updated(Event):
    """Some fields changed; those not given stay."""

    type: ClassVar[str] = "goal.updated"
    offloaded: ClassVar[frozenset[str]] = frozenset({"objective", "params"})
    objective: str | None = None
    params: Params | None = None
    """In place of all that were."""
    webhook_url: str | None = None
    """Empty: nobody is told any more."""


class Paused(Event):
    """It is not pursued until it is resumed; its schedules are inactive."""

    type: ClassVar[str] = "goal.paused"


class Resumed(Event):
    """It is active again, and so are all its schedules."""

    type: ClassVar[str] = "goal.resumed"


class Archived(Event):
    """It is kept, but not pursued; its schedules are inactive."""

    type: ClassVar[str] = "goal.archived"


class ScheduleAdded(Event):
    """It has one more schedule."""

    type: ClassVar[str] = "goal.schedule_added"
    schedule_id: str
    schedule: Schedule


class ScheduleChanged(Event):
    """One of its schedules is this now."""

    type: ClassVar[str] = "goal.schedule_changed"
    schedule_id: str
    schedule: Schedule


class ScheduleRemoved(Event):
    """One of its schedules is no more."""

    type: ClassVar[str] = "goal.schedule_removed"
    schedule_id: str


class Deleted(Event):
    """Gone from every view, with its runs, memories and schedules."""

    type: ClassVar[str] = "goal.deleted"


# ── state ───────────────────────────────────────────────────────────────────────────────────────────────


class Status(StrEnum):
    """Last token of the subject."""

    ABSENT = "absent"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class State:
    """The goal as it stands."""

    status: Status = Status.ABSENT
    objective: str = ""
    params: Params = field(default_factory=Params)
    webhook_url: str | None = None
    agent_id: str | None = None
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    """By their ids."""

    @property
    def is_active(self) -> bool:
        """Whether it is pursued."""
        return self.status is Status.ACTIVE


def evolve(state: State, event: Event) -> State:  # noqa: PLR0911  one transition a line
    """The state after `event`. Records; never refuses."""
    match event:
        case Created():
            return State(Status.ACTIVE, event.objective, event.params, event.webhook_url, event.agent_id)
        case Updated():
            return _updated(state, event)
        case Paused():
            return replace(state, status=Status.PAUSED, schedules=_all(state, active=False))
        case Resumed():
            return replace(state, status=Status.ACTIVE, schedules=_all(state, active=True))
        case Archived():
            return replace(state, status=Status.ARCHIVED, schedules=_all(state, active=False))
        case ScheduleAdded() | ScheduleChanged():
            return replace(state, schedules={**state.schedules, event.schedule_id: event.schedule})
        case ScheduleRemoved():
            left = {id_: one for id_, one in state.schedules.items() if id_ != event.schedule_id}
            return replace(state, schedules=left)
        case Deleted():
            return State(Status.DELETED)
    return state


def _updated(state: State, event: Updated) -> State:
    return replace(
        state,
        objective=state.objective if event.objective is None else event.objective,
        params=state.params if event.params is None else event.params,
        webhook_url=state.webhook_url if event.webhook_url is None else event.webhook_url or None,
    )


def _all(state: State, *, active: bool) -> Mapping[str, Schedule]:
    return {id_: one.model_copy(update={"active": active}) for id_, one in state.schedules.items()}


GOAL = Aggregate(
    "goal",
    State(),
    evolve,
    lambda state: state.status.value,
    (
        Created,
        Updated,
        Paused,
        Resumed,
        Archived,
        ScheduleAdded,
        ScheduleChanged,
        ScheduleRemoved,
        Deleted,
    ),
)


# ── decisions ───────────────────────────────────────────────────────────────────────────────────────────


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
    """Remove a goal; whoever asks cancels its open runs first."""
    require_known(state)
    return [Deleted()]


def require_known(state: State) -> None:
    """Raises UnknownGoal for a goal that never was or was deleted."""
    if state.status in {Status.ABSENT, Status.DELETED}:
        raise UnknownGoal(UnknownGoal.__doc__)


def require_schedule(state: State, schedule_id: str) -> None:
    """Raises UnknownSchedule for one that the goal does not have, UnknownGoal for a goal that is not."""
    require_known(state)
    if schedule_id not in state.schedules:
        raise UnknownSchedule(UnknownSchedule.__doc__)


def _fitting(state: State, schedule: Schedule) -> Schedule:
    return schedule if state.is_active else schedule.model_copy(update={"active": False})
