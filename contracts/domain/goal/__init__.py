"""A goal: an objective, the agent and parameters of its runs, and its schedules. Written by the gateway."""

from __future__ import annotations

from contracts.domain.goal.decisions import (
    UnknownGoal,
    UnknownSchedule,
    add_schedule,
    archive,
    change_schedule,
    create,
    delete,
    pause,
    remove_schedule,
    require_known,
    require_schedule,
    resume,
    set_status,
    update,
)
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
from contracts.domain.goal.state import GOAL, State, Status, evolve

__all__ = [
    "GOAL",
    "State",
    "Status",
    "evolve",
    "Params",
    "Created",
    "Updated",
    "Paused",
    "Resumed",
    "Archived",
    "ScheduleAdded",
    "ScheduleChanged",
    "ScheduleRemoved",
    "Deleted",
    "UnknownGoal",
    "UnknownSchedule",
    "create",
    "update",
    "pause",
    "resume",
    "archive",
    "set_status",
    "add_schedule",
    "change_schedule",
    "remove_schedule",
    "delete",
    "require_known",
    "require_schedule",
]
