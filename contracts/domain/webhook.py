"""The call that tells a goal's `webhookUrl` how a run has ended: each attempt, and what came of it.

Written by the executor only. The id is that of the run. It is apart from the run because it comes after the
run's end, and whatever becomes of it changes nothing of that.

An end is what clients are shown as `completed` or `failed`: also that there is no plan for the run, and that
the execution of its plan was suspended. A suspended one can be resumed and end again, so ends are numbered
and each is told once, unless a later end was told first. A run that a client cancelled calls no webhook: the
client knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event


class Delivered(Event):
    """The receiver has taken it."""

    type: ClassVar[str] = "webhook.delivered"
    url: str
    attempt: int
    status: int
    """Of the HTTP answer."""
    duration_ms: int = 0
    ending: int = 0
    """Which end of the run it tells: how often the run had been resumed before."""


class AttemptFailed(Event):
    """It could not be delivered; with `retry_at` it will be tried again then."""

    type: ClassVar[str] = "webhook.attempt_failed"
    url: str
    attempt: int
    error: str
    duration_ms: int = 0
    retry_at: datetime | None = None
    ending: int = 0


class Status(StrEnum):
    """Last token of the subject."""

    ABSENT = "absent"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class State:
    """How far it is with the newest end it tells."""

    status: Status = Status.ABSENT
    attempts: int = 0
    retry_at: datetime | None = None
    ending: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be done."""
        return self.status in {Status.DELIVERED, Status.FAILED}

    def of(self, ending: int) -> State:
        """How far it is with that end; who tells a later one has passed over it."""
        if ending > self.ending:
            return State(ending=ending)
        return self if ending == self.ending else State(Status.FAILED, ending=ending)


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    match event:
        case Delivered():
            return State(Status.DELIVERED, event.attempt, None, event.ending)
        case AttemptFailed():
            status = Status.RETRYING if event.retry_at else Status.FAILED
            return State(status, event.attempt, event.retry_at, event.ending)
    return state


WEBHOOK = Aggregate("webhook", State(), evolve, lambda state: state.status.value, (Delivered, AttemptFailed))


def settle(state: State, came: Delivered | AttemptFailed) -> list[Event]:
    """Record what came of an attempt, unless it has been settled meanwhile."""
    told = state.of(came.ending)
    return [] if told.is_settled or came.attempt <= told.attempts else [came]
