"""The calls of a goal's `webhookUrl` after the end of a run, or when it asks a person: attempts and outcomes.

Only the executor writes them. The aggregate id is the id of the run, or is made of the id of the question. It
is separate from the run because it follows the run, and does not change it.

A run ends when clients see it as `completed` or `failed`. This includes a run without a plan, because
planning failed, and a suspended run. A suspended run can be resumed and end again, so ends are numbered. Each
end is delivered once, unless a later end was delivered first. A run that a client cancelled calls no webhook.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal, Protocol

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.core.ids import derived_id

WebhookEvent = Literal["ended", "asked"]
"""What a webhook is called about: `ended`, each end of a run; `asked`, each question of a run to a person."""


class HasWebhook(Protocol):
    """A request for a run."""

    @property
    def webhook_url(self) -> str | None: ...
    @property
    def webhook_events(self) -> tuple[WebhookEvent, ...]: ...


def url_for(event: WebhookEvent, request: HasWebhook) -> str | None:
    """The URL that is called about an event of a run; None: none is."""
    return request.webhook_url if event in request.webhook_events else None


def id_of_ask(ask: str) -> str:
    """The id of the aggregate with the call about a question."""
    return derived_id("ask_", ask)


class Requested(Event):
    """A run asked a person, and its webhook is to be called about that."""

    type: ClassVar[str] = "webhook.requested"
    ask: str
    """Id of the question."""


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
    ask: str | None = None
    """Id of the question that the call is about; null: it is about the end of the run."""


class AttemptFailed(Event):
    """The call failed. It is retried at `retry_at`; null: it failed finally."""

    type: ClassVar[str] = "webhook.attempt_failed"
    url: str
    attempt: int
    error: str
    duration_ms: int = 0
    retry_at: datetime | None = None
    ending: int = 0
    ask: str | None = None


class Status(StrEnum):
    """Last token of the subject."""

    ABSENT = "absent"
    REQUESTED = "requested"
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
        case Requested():
            return State(Status.REQUESTED)
        case Delivered():
            return State(Status.DELIVERED, event.attempt, None, event.ending)
        case AttemptFailed():
            status = Status.RETRYING if event.retry_at else Status.FAILED
            return State(status, event.attempt, event.retry_at, event.ending)
    return state


WEBHOOK = Aggregate(
    "webhook", State(), evolve, lambda state: state.status.value, (Requested, Delivered, AttemptFailed)
)


def request(state: State, wanted: Requested) -> list[Event]:
    """Request the call about a question. Returns no events if it was requested before."""
    return [wanted] if state.status is Status.ABSENT else []


def settle(state: State, outcome: Delivered | AttemptFailed) -> list[Event]:
    """Record the outcome of an attempt. Returns no events if it is recorded, or the delivery is settled."""
    progress = state.of(outcome.ending)
    return [] if progress.is_settled or outcome.attempt <= progress.attempts else [outcome]
