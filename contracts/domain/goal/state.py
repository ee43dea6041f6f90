"""The state of a goal, and how each event changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from contracts.core.aggregate import Aggregate, Snapshots
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
from contracts.domain.goal.params import Params
from contracts.domain.schedule.schedule import Schedule
from contracts.domain.webhook import WebhookEvent


class Status(StrEnum):
    """Last token of the subject."""

    ABSENT = "absent"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class State:
    """The current state of a goal."""

    status: Status = Status.ABSENT
    objective: str = ""
    params: Params = field(default_factory=Params)
    webhook_url: str | None = None
    agent_id: str | None = None
    webhook_events: tuple[WebhookEvent, ...] = ("ended",)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    """Schedules by id."""

    @property
    def timezone(self) -> str:
        """The IANA time zone of the schedules if all have the same one; else UTC."""
        zones = {one.timezone for one in self.schedules.values()}
        return zones.pop() if len(zones) == 1 else "UTC"

    @property
    def is_active(self) -> bool:
        """Whether new runs may start."""
        return self.status is Status.ACTIVE


def evolve(state: State, event: Event) -> State:  # noqa: PLR0911  one transition a line
    """The state after `event`. Never raises."""
    match event:
        case Created():
            return _created(event)
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


def _created(event: Created) -> State:
    return State(
        Status.ACTIVE,
        event.objective,
        event.params,
        event.webhook_url,
        event.agent_id,
        webhook_events=event.webhook_events,
    )


def _updated(state: State, event: Updated) -> State:
    return replace(
        state,
        objective=state.objective if event.objective is None else event.objective,
        params=state.params if event.params is None else event.params,
        webhook_url=state.webhook_url if event.webhook_url is None else event.webhook_url or None,
        webhook_events=state.webhook_events if event.webhook_events is None else event.webhook_events,
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
    snapshots=Snapshots(version=5, state=State),
)
