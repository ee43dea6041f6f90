"""The outcome of a delivery: acknowledge, deliver again, park or ignore. Pure."""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import dataclass
from datetime import timedelta

from contracts.core.codec import Undecodable
from contracts.core.outcome import LeaseLost, Reject, Retry
from contracts.core.unread import UnreadHistory
from contracts.core.waiting import bounded, doubled
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.log import Conflict, Unavailable
from contracts.runtime.stream import TooManyConflicts


@dataclass(slots=True, eq=False)
class Delivery:
    """One message that this process holds."""

    seq: int
    """Sequence in the log."""
    attempt: int
    """1 on the first delivery."""
    ack_subject: str
    """The subject to acknowledge on. It changes if the message is redelivered while this process holds it."""
    lease: Lease
    """The lease of all messages that the consumer holds."""
    is_new: bool = False
    """Whether this is certainly the first delivery: the message is newer than the consumer."""


@dataclass(frozen=True)
class DeliveryPolicy:
    """Limits and delays of a consumer."""

    max_in_flight: int = 100
    ack_wait_s: float = 15.0
    """Seconds without a sign of life after which a process loses its messages to others."""
    max_deliver: int = 5
    """Deliveries after which an unexpected exception parks the message. Those that a crash ended count."""
    backoff_s: float = 1.0
    """Seconds before the second delivery. The delay doubles with each delivery."""
    longest_backoff_s: float = 60.0
    grace_s: float = 10.0
    """Seconds that handlers have to finish when the consumer is cancelled."""
    since: timedelta | None = None
    """Maximum age of commits that a newly created consumer delivers; None: all commits of the log."""

    def backoff(self, attempt: int) -> float:
        """Seconds between delivery `attempt` and the next one."""
        return doubled(self.backoff_s, attempt - 1, self.longest_backoff_s)


@dataclass(frozen=True, slots=True)
class Done:
    """Acknowledge: the message is never delivered again."""


@dataclass(frozen=True, slots=True)
class Redeliver:
    """Deliver again after `after_s` seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Park:
    """Park: the message is delivered again only if an operator sends it."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """Send nothing: another process may own the message now. The server would accept our acknowledgement."""


Settlement = Done | Redeliver | Park | Ignore


EXPECTED = (Retry, Reject, LeaseLost, Conflict, TooManyConflicts, Unavailable, Undecodable, UnreadHistory)
"""Exceptions that handlers raise on purpose. Any other is a bug and is logged with its stack trace."""


def verdict(error: BaseException | None, attempt: int, policy: DeliveryPolicy) -> Settlement:
    """The outcome for a handler that returned (`error` is None) or raised `error`."""
    match error:
        case None:
            return Done()
        case LeaseLost():
            return Ignore()
        case Reject() | Undecodable():
            return Park()
        case CancelledError():
            return Redeliver(0)
        case Retry(after=float() | int() as after):
            return Redeliver(bounded(after))
    lost = isinstance(error, UnreadHistory) and not error.newer
    spent = attempt >= policy.max_deliver and (lost or not isinstance(error, EXPECTED))
    return Park() if spent else Redeliver(policy.backoff(attempt))
