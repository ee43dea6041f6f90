"""Settings of the budget of the whole system. Gateway, planner and executor need the same ones."""

from __future__ import annotations

from contracts.domain.budget import Usd
from contracts.domain.shared_budget import PeriodBudget
from contracts.settings.environment import EnvironmentSettings


class SharedBudgetSettings(EnvironmentSettings):
    """What models may cost in the whole system. Keys can have budgets of their own."""

    budget_usd_per_day: Usd | None = None
    """Maximum US dollars for models per day, in UTC. Default: no limit."""
    budget_usd_per_month: Usd | None = None
    """Maximum US dollars for models per calendar month, in UTC. Default: no limit."""

    @property
    def shared_budget(self) -> PeriodBudget:
        """Both limits."""
        return PeriodBudget(usd_per_day=self.budget_usd_per_day, usd_per_month=self.budget_usd_per_month)
