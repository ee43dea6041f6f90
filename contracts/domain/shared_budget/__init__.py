"""The shared budget: what models may cost per day and per month, in the whole system and by key.

There is one aggregate for each calendar month in UTC; its id is the month, such as `2026-11`. Gateway,
planner and executor reserve what a call of a model may cost before they make it, and settle it afterwards. A
call that is never settled counts at its reserved amount.
"""

from __future__ import annotations

from contracts.domain.shared_budget.decisions import (
    EXPIRES_AFTER,
    Call,
    LimitReached,
    Reached,
    end_of,
    month_of,
    reserve,
    settle,
    today,
)
from contracts.domain.shared_budget.events import Reserved, Settled, Warned
from contracts.domain.shared_budget.limits import PERIODS, UNLIMITED, Limit, Limits, Period, PeriodBudget
from contracts.domain.shared_budget.state import BUDGET, Account, Reservation, State, Status
from contracts.domain.shared_budget.use import Use, use

__all__ = [
    "BUDGET",
    "State",
    "Account",
    "Reservation",
    "Status",
    "Reserved",
    "Settled",
    "Warned",
    "Period",
    "PERIODS",
    "PeriodBudget",
    "UNLIMITED",
    "Limit",
    "Limits",
    "Call",
    "Reached",
    "LimitReached",
    "EXPIRES_AFTER",
    "month_of",
    "end_of",
    "today",
    "reserve",
    "settle",
    "Use",
    "use",
]
