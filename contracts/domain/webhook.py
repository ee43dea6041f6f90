"""The calls of a goal's `webhookUrl` after the end of a run: each attempt and its outcome.

Only the executor writes them. The aggregate id is the id of the run. It is separate from the run because it
follows the end of the run, and does not change the run.

A run ends when clients see it as `completed` or `failed`. This includes a run without a plan, because
planning failed, and a suspended run. A suspended run can be resumed and end again, so ends are numbered. Each
end is delivered once, unless a later end was delivered first. A run that a client cancelled calls no webhook.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event


class Delivered(Event):
    """The receiver accepted the call."""

    type: ClassVar[str] = "webhook.delivered"
    url: str
    attempt: int
    status: int
    """HTTP status of the answer."""
    duration_ms: int = 0
    ending: int = 0
    """Number of the end of the run: how often the run was resumed before it."""


class AttemptFailed(Event):
    """The call failed. It is retried at `retry_at`; null: it failed finally."""

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
    """The state of the delivery of the newest end."""

    status: Status = Status.ABSENT
    attempts: int = 0
    retry_at: datetime | None = None
    ending: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether the delivery succeeded or failed finally."""
        return self.status in {Status.DELIVERED, Status.FAILED}

    def of(self, ending: int) -> State:
        """The state of the delivery of an end. An end before the newest one counts as failed."""
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


def settle(state: State, outcome: Delivered | AttemptFailed) -> list[Event]:
    """Record the outcome of an attempt. Returns no events if it is recorded, or the delivery is settled."""
    progress = state.of(outcome.ending)
    return [] if progress.is_settled or outcome.attempt <= progress.attempts else [outcome]
