"""The decisions about the shared budget. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from contracts.core.aggregate import DomainError
from contracts.core.event import Event, Json
from contracts.core.money import usd_text
from contracts.core.spent import Estimate
from contracts.domain.shared_budget.events import Reserved, Settled, Warned
from contracts.domain.shared_budget.limits import Limit, Limits, Period
from contracts.domain.shared_budget.state import BUDGET, Reservation, State, warning_of

EXPIRES_AFTER = timedelta(hours=1)
"""After this time a reservation counts as spent, because the process that made it no longer settles it. No
call takes longer. The amount is the same before and after, so the time only bounds the size of the state."""
WARN_AT = (4, 5)
"""The share of a limit that is warned about, as numerator and denominator."""


class Call(NamedTuple):
    """A call of a model that is to be made."""

    id: str
    by: str
    """See `Reserved.by`."""
    needed: Estimate
    """The most that it may cost."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that a call could exceed. Amounts are pico-dollars."""

    limit: Limit
    spent: int
    reserved: int
    """What calls may cost whose cost is not known yet."""
    needed: Estimate
    until: datetime
    """When the period ends."""

    @property
    def name(self) -> str:
        """`system/day`, `system/month`, `key:<name>/day` or `key:<name>/month`."""
        holder = "system" if self.limit.key is None else f"key:{self.limit.key}"
        return f"{holder}/{self.limit.period}"

    @property
    def may_fit_later(self) -> bool:
        """Whether the call fits if the calls in progress turn out to be cheap."""
        return self.needed.pico_usd is not None and self.spent + self.needed.pico_usd <= self.limit.pico_usd

    @property
    def details(self) -> dict[str, Json]:
        """The numbers for clients. Amounts are US dollars as text."""
        return {
            "budget": self.name,
            "allowed": usd_text(self.limit.pico_usd),
            "spent": usd_text(self.spent),
            "reserved": usd_text(self.reserved),
            "needed": usd_text(self.needed.pico_usd),
            "until": self.until.isoformat(),
        }


class LimitReached(DomainError):
    """A call of a model could exceed a shared budget, so it is not made."""

    def __init__(self, reached: Reached) -> None:
        super().__init__(_why(reached))
        self.reached = reached

    @property
    def is_temporary(self) -> bool:
        """Whether the call may fit in the next period."""
        needed = self.reached.needed.pico_usd
        return needed is not None and needed <= self.reached.limit.pico_usd

    def then(self, what: str) -> str:
        """The reason, and what to do: `what` names the request that is to be made again."""
        reached = self.reached
        remedies = [] if not self.is_temporary else [f"wait until {reached.until:%Y-%m-%d %H:%M} UTC"]
        if reached.needed.pico_usd is None:
            remedies = ["set BUDGET_UNPRICED=allow"]
        elif reached.limit.key is None:
            remedies.append(f"raise BUDGET_USD_PER_{reached.limit.period.upper()}")
        else:
            option = f"--usd-per-{reached.limit.period}"
            remedies.append(
                f"let an administrator raise it (async-agent keys budget {reached.limit.key} {option})"
            )
        return f"{self}; {', or '.join(remedies)}, then {what}"


def month_of(now: datetime) -> str:
    """The id of the aggregate that `now` belongs to, such as `2026-11`."""
    return f"{now.astimezone(UTC):%Y-%m}"


def today(state: State, now: datetime) -> date:
    """The day on which a call counts that is made now. Days do not go back when a clock does."""
    return max(state.day, now.astimezone(UTC).date())


def end_of(period: Period, day: date) -> datetime:
    """When the period that contains `day` ends."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if period == "day":
        return begin + timedelta(days=1)
    return (begin.replace(day=1) + timedelta(days=32)).replace(day=1)


def reserve(state: State, call: Call, limits: Limits, now: datetime) -> list[Event]:
    """Reserve what a call may cost. Returns no events if it is reserved already.

    Earlier calls for the same purpose, and those that were not settled in time, count as spent: their
    processes have died, and the provider may have charged them.

    Raises:
        LimitReached: the call could exceed a limit.
    """
    if call.id in state.open:
        return []
    day = today(state, now)
    abandoned: list[Event] = [
        _settled(id_, one, one.amount, is_estimate=True)
        for id_, one in state.open.items()
        if one.by == call.by or one.at + EXPIRES_AFTER <= now
    ]
    after = BUDGET.fold(abandoned, state)
    for limit in limits:
        _require_room(after, limit, call.needed, day)
    reserved = Reserved(
        call=call.id,
        by=call.by,
        usd=usd_text(call.needed.pico_usd or 0),
        key=limits.key_name,
        day=day,
        at=now,
    )
    return [*abandoned, *_warnings(after, limits, day), reserved]


def settle(state: State, call_id: str, cost: int | None, limits: Limits, now: datetime) -> list[Event]:
    """Count what a call has cost, once. None: its outcome is unknown, so the reserved amount counts."""
    one = state.open.get(call_id)
    if one is None:
        return []
    amount = one.amount if cost is None else cost
    settled = _settled(call_id, one, amount, is_estimate=cost is None)
    return [settled, *_warnings(BUDGET.fold([settled], state), limits, today(state, now))]


def _require_room(state: State, limit: Limit, needed: Estimate, day: date) -> None:
    spent = state.spent(limit.key, limit.period, day)
    reserved = state.reserved(limit.key, limit.period, day)
    if needed.pico_usd is None or spent + reserved + needed.pico_usd > limit.pico_usd:
        raise LimitReached(Reached(limit, spent, reserved, needed, end_of(limit.period, day)))


def _settled(call: str, one: Reservation, amount: int, *, is_estimate: bool) -> Settled:
    usd = usd_text(amount)
    return Settled(call=call, by=one.by, usd=usd, is_estimate=is_estimate, key=one.key, day=one.day)


def _warnings(state: State, limits: Limits, day: date) -> list[Event]:
    """A warning for each limit of which 80 % is spent for the first time."""
    return [
        Warned(
            key=key,
            period=period,
            day=day,
            allowed=usd_text(allowed),
            spent=usd_text(spent),
        )
        for key, period, allowed in limits
        if is_nearly_spent(spent := state.spent(key, period, day), allowed)
        and state.warned.get(warning_of(key, period, day)) != allowed
    ]


def is_nearly_spent(spent: int, allowed: int) -> bool:
    """Whether so much of a limit is spent that there is a warning."""
    share, whole = WARN_AT
    return spent * whole >= allowed * share


def _why(reached: Reached) -> str:
    limit = reached.limit
    holder = "the system" if limit.key is None else f"the key {limit.key}"
    allowed = f"{usd_text(limit.pico_usd)} US dollars per {limit.period}"
    if reached.needed.pico_usd is None:
        return (
            f"budget of {holder}: the price of the model {reached.needed.model} is not known, "
            f"so {allowed} may be exceeded"
        )
    reserved = (
        f", {usd_text(reached.reserved)} are reserved for calls in progress" if reached.reserved else ""
    )
    return (
        f"budget of {holder}: {usd_text(reached.spent)} of {allowed} are spent{reserved}, "
        f"and the next call may need {usd_text(reached.needed.pico_usd)}"
    )
