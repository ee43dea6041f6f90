"""The call that tells a goal's `webhookUrl` how a run has ended: each attempt, and what came of it.

Written by the executor only. The id is that of the run. It is apart from the run because it comes after the
run's end, and whatever becomes of it changes nothing of that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from contracts.aggregate import Aggregate
from contracts.event import Event


class Delivered(Event):
    """The receiver has taken it."""

    type: ClassVar[str] = "webhook.delivered"
    url: str
    attempt: int
    status: int
    """Of the HTTP answer."""
    duration_ms: int = 0


class AttemptFailed(Event):
    """It could not be delivered; with `retry_at` it will be tried again then."""

    type: ClassVar[str] = "webhook.attempt_failed"
    url: str
    attempt: int
    error: str
    duration_ms: int = 0
    retry_at: datetime | None = None


class Status(StrEnum):
    """Last token of the subject."""

    ABSENT = "absent"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class State:
    """How far it is."""

    status: Status = Status.ABSENT
    attempts: int = 0
    retry_at: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be done."""
        return self.status in {Status.DELIVERED, Status.FAILED}


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    match event:
        case Delivered():
            return replace(state, status=Status.DELIVERED, attempts=event.attempt, retry_at=None)
        case AttemptFailed():
            status = Status.RETRYING if event.retry_at else Status.FAILED
            return replace(state, status=status, attempts=event.attempt, retry_at=event.retry_at)
    return state


WEBHOOK = Aggregate("webhook", State(), evolve, lambda state: state.status.value, (Delivered, AttemptFailed))


def settle(state: State, came: Delivered | AttemptFailed) -> list[Event]:
    """Record what came of an attempt, unless it has been settled meanwhile."""
    return [] if state.is_settled or came.attempt <= state.attempts else [came]
