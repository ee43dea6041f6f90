"""What becomes of a delivered message: the pure part of every consumer."""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import dataclass
from datetime import timedelta

from contracts.core.commit import Undecodable
from contracts.core.outcome import LeaseLost, Reject, Retry
from contracts.core.unread import UnreadHistory
from contracts.core.waiting import bounded, doubled
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.log import Conflict, Unavailable
from contracts.runtime.stream import Contended


@dataclass(slots=True, eq=False)
class Delivery:
    """One message in hand."""

    seq: int
    """In the log."""
    attempt: int
    """1 on the first delivery."""
    ack_subject: str
    """Where its outcome is sent: the latest one when it came again while in hand."""
    lease: Lease
    """Of everything that the consumer has in hand."""
    is_new: bool = False
    """Whether nobody has had it before: it is younger than the consumer, and comes for the first time."""


@dataclass(frozen=True)
class DeliveryPolicy:
    """How patient a consumer is."""

    max_in_flight: int = 100
    ack_wait_s: float = 15.0
    """A process that is silent for so long has lost its messages to the others."""
    max_deliver: int = 5
    """Deliveries after which an unexpected exception parks the message; those cut short by a crash count."""
    backoff_s: float = 1.0
    """Before the second delivery; doubles with each one."""
    longest_backoff_s: float = 60.0
    grace_s: float = 10.0
    """What handlers have to finish when the consumer is cancelled."""
    since: timedelta | None = None
    """Age of the oldest commit that a consumer is given when it is made; None: all commits of the log."""

    def backoff(self, attempt: int) -> float:
        """Seconds before the delivery after `attempt`."""
        return doubled(self.backoff_s, attempt - 1, self.longest_backoff_s)


@dataclass(frozen=True, slots=True)
class Done:
    """Never again."""


@dataclass(frozen=True, slots=True)
class Again:
    """After `after_s` seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Parked, and never again unless an operator says so."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """Whoever has it now says what becomes of it; acknowledgements are not fenced, so ours would count."""


Verdict = Done | Again | GiveUp | Ignore


EXPECTED = (Retry, Reject, LeaseLost, Conflict, Contended, Unavailable, Undecodable, UnreadHistory)
"""What handlers raise on purpose. Anything else is a bug, and is logged with its stack trace."""


def verdict(error: BaseException | None, attempt: int, policy: DeliveryPolicy) -> Verdict:
    """What a handler's end means: it returned (None) or raised `error`."""
    match error:
        case None:
            return Done()
        case LeaseLost():
            return Ignore()
        case Reject() | Undecodable():
            return GiveUp()
        case CancelledError():
            return Again(0)
        case Retry(after=float() | int() as after):
            return Again(bounded(after))
    lost = isinstance(error, UnreadHistory) and not error.newer
    spent = attempt >= policy.max_deliver and (lost or not isinstance(error, EXPECTED))
    return GiveUp() if spent else Again(policy.backoff(attempt))
