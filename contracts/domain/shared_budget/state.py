"""What models have cost in one month, in the whole system and by key. Amounts are pico-dollars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from contracts.core.aggregate import Aggregate, Snapshots
from contracts.core.event import Event
from contracts.core.money import pico_usd
from contracts.domain.shared_budget.events import Reserved, Settled, Warned
from contracts.domain.shared_budget.limits import Period

LONGEST_SNAPSHOT = 128 * 1024
"""Maximum bytes of a snapshot: enough for 2,000 keys, and for 200 calls in progress."""


class Status(StrEnum):
    """Last token of the subject."""

    ABSENT = "absent"
    OPEN = "open"


class Account(NamedTuple):
    """What is spent by one key, or in the whole system."""

    month: int = 0
    day: int = 0
    on: date = date.min
    """The day that `day` is about: the newest day on which something was spent."""

    def plus(self, amount: int, day: date) -> Account:
        """With what a call on `day` has cost."""
        if day > self.on:
            return Account(self.month + amount, amount, day)
        return Account(self.month + amount, self.day + (amount if day == self.on else 0), self.on)

    def in_(self, period: Period, day: date) -> int:
        """What is spent on `day`, or in its month."""
        if period == "month":
            return self.month
        return self.day if day == self.on else 0


class Reservation(NamedTuple):
    """A call in progress, or one whose outcome is unknown."""

    by: str
    amount: int
    key: str | None
    day: date
    at: datetime


NOTHING = Account()


@dataclass(frozen=True, slots=True)
class State:
    """One month."""

    system: Account = NOTHING
    keys: Mapping[str, Account] = field(default_factory=dict)
    """What is spent by the name of the key."""
    open: Mapping[str, Reservation] = field(default_factory=dict)
    """Reservations by the id of the call."""
    day: date = date.min
    """The newest day on which a call counts."""
    warned: Mapping[str, int] = field(default_factory=dict)
    """The limits that were warned about, as they were then, by `warning_of`."""

    @property
    def status(self) -> Status:
        """ABSENT until the first call is reserved."""
        return Status.OPEN if self.day > date.min else Status.ABSENT

    def spent(self, key: str | None, period: Period, day: date) -> int:
        """What a key, or None for the whole system, has spent on `day` or in its month."""
        account = self.system if key is None else self.keys.get(key, NOTHING)
        return account.in_(period, day)

    def reserved(self, key: str | None, period: Period, day: date) -> int:
        """What calls whose cost is not known yet may cost."""
        return sum(self._reserved(key, period, day))

    def _reserved(self, key: str | None, period: Period, day: date) -> Iterator[int]:
        for one in self.open.values():
            if (key is None or one.key == key) and (period == "month" or one.day == day):
                yield one.amount


def warning_of(key: str | None, period: Period, day: date) -> str:
    """The name of a limit in a period: `day/2026-11-29` or `month`, followed by the name of the key."""
    name = f"day/{day.isoformat()}" if period == "day" else "month"
    return name if key is None else f"{name}/{key}"


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    match event:
        case Reserved():
            reserved = Reservation(event.by, pico_usd(event.usd), event.key, event.day, event.at)
            day = max(state.day, event.day)
            return replace(state, open={**state.open, event.call: reserved}, day=day)
        case Settled():
            return _settled(state, event)
        case Warned():
            return _warned(state, event)
    return state


def _settled(state: State, event: Settled) -> State:
    still_open = {call: one for call, one in state.open.items() if call != event.call}
    amount, keys = pico_usd(event.usd), state.keys
    if event.key is not None:
        keys = {**keys, event.key: keys.get(event.key, NOTHING).plus(amount, event.day)}
    return replace(state, open=still_open, system=state.system.plus(amount, event.day), keys=keys)


def _warned(state: State, event: Warned) -> State:
    """Warnings about days before are forgotten."""
    today = f"day/{event.day.isoformat()}"
    kept = {name: at for name, at in state.warned.items() if name.startswith(("month", today))}
    name = warning_of(event.key, event.period, event.day)
    return replace(state, warned={**kept, name: pico_usd(event.allowed)})


BUDGET = Aggregate(
    "budget",
    State(),
    evolve,
    lambda state: state.status.value,
    (Reserved, Settled, Warned),
    Snapshots(version=1, state=State, longest=LONGEST_SNAPSHOT),
)
