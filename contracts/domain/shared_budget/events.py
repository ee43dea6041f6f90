"""Events of the shared budget. Stored for ever: when a shape changes, raise its version and add an upcast."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

from contracts.core.event import Event
from contracts.core.spent import UsdText
from contracts.domain.shared_budget.limits import Period


class Reserved(Event):
    """A model is about to be called. The most that the call may cost counts until the call is settled."""

    type: ClassVar[str] = "budget.reserved"
    call: str
    """Id of the call of the model. Each call has its own."""
    by: str
    """What the call is for: `<run>/<step>`, `<DAG>/<attempt>`, `<DAG>/title` or `<task>`."""
    usd: UsdText
    """The most that the call may cost."""
    key: str | None = None
    """Name of the key that pays; null: no key does."""
    day: date
    """UTC day on which the call counts."""
    at: datetime


class Settled(Event):
    """What a call has cost is known, or will not become known. It counts instead of the reservation."""

    type: ClassVar[str] = "budget.settled"
    call: str
    by: str
    usd: UsdText
    """What the call has cost."""
    is_estimate: bool = False
    """Whether the outcome of the call is unknown, so that the reserved amount counts as spent."""
    key: str | None = None
    day: date


class Warned(Event):
    """80 % of a limit is spent. Recorded once for each limit and period, and again if the limit changes."""

    type: ClassVar[str] = "budget.warned"
    key: str | None = None
    """Name of the key that the limit is of; null: it is the limit of the whole system."""
    period: Period
    day: date
    """UTC day of the warning."""
    allowed: UsdText
    spent: UsdText
