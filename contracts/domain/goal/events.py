"""Events of a goal. Stored for ever: when a shape changes, raise its version and add an upcast."""

from __future__ import annotations

from typing import ClassVar

from contracts.core.event import Event
from contracts.domain.goal.params import Params
from contracts.domain.schedule.schedule import Schedule


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
    """Empty: no webhook."""


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
    """A schedule of the goal was changed."""

    type: ClassVar[str] = "goal.schedule_changed"
    schedule_id: str
    schedule: Schedule


class ScheduleRemoved(Event):
    """A schedule of the goal was removed."""

    type: ClassVar[str] = "goal.schedule_removed"
    schedule_id: str


class Deleted(Event):
    """Gone from every view, with its runs, memories and schedules."""

    type: ClassVar[str] = "goal.deleted"
