"""A single task: one question to an agent. The log records usage and cost, not the question and the answer.

Written by the gateway only, after the answer. Events are stored for ever: when a shape changes, raise its
version and add an upcast.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.core.spent import Charged


class Answered(Charged):
    """The model answered."""

    type: ClassVar[str] = "task.answered"
    agent_id: str
    agent_name: str
    agent_version: str
    provider: str
    model: str
    duration_ms: int


class Failed(Charged):
    """The model did not answer. If `provider` and `model` are null, those of the settings were used."""

    type: ClassVar[str] = "task.failed"
    agent_id: str
    agent_name: str
    agent_version: str
    error: str
    duration_ms: int


class Status(StrEnum):
    """Last token of the subject."""

    ABSENT = "absent"
    ANSWERED = "answered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class State:
    """The outcome."""

    status: Status = Status.ABSENT


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    match event:
        case Answered():
            return State(Status.ANSWERED)
        case Failed():
            return State(Status.FAILED)
    return state


TASK = Aggregate("task", State(), evolve, lambda state: state.status.value, (Answered, Failed))


def settle(state: State, outcome: Answered | Failed) -> list[Event]:
    """Record the outcome, once."""
    return [outcome] if state.status is Status.ABSENT else []
