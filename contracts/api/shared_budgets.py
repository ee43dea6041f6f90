"""The budgets of the system and of keys over HTTP."""

from __future__ import annotations

from contracts.api.fields import Absent, Row, Timestamp, Usd, epoch_ms
from contracts.domain.shared_budget import Use


class PeriodUse(Row):
    """What models may cost in one period, and what they have cost. Amounts are US dollars as decimal text."""

    allowed: Usd | None
    """Null: not limited."""
    spent: Usd
    """The cost of calls that a limit of the system or of their key applied to when they were made."""
    reserved: Usd
    """The most that calls may cost whose cost is not known yet."""
    left: Usd | None
    """What further calls may cost. Null: not limited."""
    warned: bool
    """Whether 80 % of the limit is spent."""
    ends_at: Timestamp
    """When the period ends."""

    @classmethod
    def of(cls, use: Use) -> PeriodUse:
        """The row of `use`."""
        return cls(
            allowed=use.allowed,
            spent=use.spent,
            reserved=use.reserved,
            left=use.left,
            warned=use.is_nearly_spent,
            ends_at=epoch_ms(use.ends),
        )


class HolderBudget(Row):
    """The budget of the system, or of a key."""

    name: str | None
    """Name of the key. Null: the whole system."""
    day: PeriodUse
    """The current day, in UTC."""
    month: PeriodUse
    """The current calendar month, in UTC."""


class SharedBudgets(Row):
    """What models may cost per day and month, and what they have cost."""

    system: HolderBudget
    key: HolderBudget | None
    """The key that asks. Null: the request has no key."""
    keys: Absent[list[HolderBudget]] = None
    """All keys that have a limit, or that a limit has applied to this month. Only with the scope `admin`."""
