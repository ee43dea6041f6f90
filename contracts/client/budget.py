"""The budget that all runs share."""

from __future__ import annotations

from contracts.api.shared_budgets import SharedBudgets
from contracts.client.http import Http, path


class SharedBudget:
    """Requests about the budget of the system and of keys."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def get(self) -> SharedBudgets:
        """Get what models may cost per day and month, and what they have cost."""
        return await self._http.get(SharedBudgets, path("budget"))
