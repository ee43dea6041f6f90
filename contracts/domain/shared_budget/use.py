"""How much of a shared budget is used. Pure."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from contracts.domain.shared_budget.decisions import end_of, is_nearly_spent
from contracts.domain.shared_budget.limits import Period, PeriodBudget
from contracts.domain.shared_budget.state import State


class Use(NamedTuple):
    """The use of one limit. Amounts are pico-dollars."""

    allowed: int | None
    """None: not limited."""
    spent: int
    reserved: int
    """What calls may cost whose cost is not known yet."""
    ends: datetime
    """When the period ends."""

    @property
    def left(self) -> int | None:
        """What further calls may cost. None: not limited."""
        return None if self.allowed is None else max(0, self.allowed - self.spent - self.reserved)

    @property
    def is_nearly_spent(self) -> bool:
        """Whether 80 % of the limit is spent."""
        return self.allowed is not None and is_nearly_spent(self.spent, self.allowed)


def use(state: State, key: str | None, budget: PeriodBudget, period: Period, day: date) -> Use:
    """What a key, or None for the whole system, has used of its budget on `day` or in its month."""
    return Use(
        allowed=budget.pico_usd(period),
        spent=state.spent(key, period, day),
        reserved=state.reserved(key, period, day),
        ends=end_of(period, day),
    )
