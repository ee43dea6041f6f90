"""Events of a goal. Stored for ever: when a shape changes, raise its version and add an upcast."""

from __future__ import annotations

from typing import ClassVar

from contracts.core.event import Event
from contracts.domain.goal.params import Params
from contracts.domain.schedule.schedule import Schedule
from contracts.domain.webhook import WebhookEvent


class Created(Event):
    """A goal was created. It is active."""

    type: ClassVar[str] = "goal.created"
    offloaded: ClassVar[frozenset[str]] = frozenset({"objective", "params"})
    objective: str
    params: Params = Params()
    webhook_url: str | None = None
    """URL that is called about the runs of the goal."""
    webhook_events: tuple[WebhookEvent, ...] = ("ended",)
    """What the URL is called about."""
    agent_id: str | None = None
    """Id of the agent version that runs the goal, even if another version becomes active later."""


class Updated(Event):
    """Fields of the goal changed. A field that is null is unchanged."""

    type: ClassVar[str] = "goal.updated"
    offloaded: ClassVar[frozenset[str]] = frozenset({"objective", "params"})
    objective: str | None = None
    params: Params | None = None
    """Replaces all earlier parameters."""
    webhook_url: str | None = None
    """An empty string removes the webhook."""
    webhook_events: tuple[WebhookEvent, ...] | None = None


class Paused(Event):
    """The goal was paused: no new runs start, and all its schedules are inactive, until it is resumed."""

    type: ClassVar[str] = "goal.paused"


class Resumed(Event):
    """The goal and all its schedules are active again."""

    type: ClassVar[str] = "goal.resumed"


class Archived(Event):
    """The goal was archived: no new runs start, and all its schedules are inactive."""

    type: ClassVar[str] = "goal.archived"


class ScheduleAdded(Event):
    """A schedule was added to the goal."""

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
    """The goal was deleted, with its runs, memories and schedules."""

    type: ClassVar[str] = "goal.deleted"
