"""Metrics of the shared budget."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import Gauge

from contracts.domain import shared_budget
from contracts.domain.keys import Keys
from contracts.domain.shared_budget import PERIODS, PeriodBudget
from contracts.runtime.log import Unavailable
from contracts.spending import SharedBudget

UPDATE_S = 15.0
"""Seconds between two reads of the budget. Without any limit it is not read."""

LABELS = ["holder", "period"]
ALLOWED = Gauge("budget_allowed_usd", "US dollars for models: the limit of the system or of a key", LABELS)
SPENT = Gauge("budget_spent_usd", "US dollars spent of a limit, with what calls in progress may cost", LABELS)
LEFT = Gauge("budget_left_usd", "US dollars left of a limit", LABELS)


class BudgetGauges:
    """Keeps the metrics of all limits up to date."""

    def __init__(
        self, shared: SharedBudget, system: PeriodBudget, keys: Keys, clock: Callable[[], datetime]
    ) -> None:
        self._shared = shared
        self._system = system
        self._keys = keys
        self._clock = clock

    async def run(self) -> None:
        """A worker: reads the budget at intervals until cancelled."""
        while True:
            with contextlib.suppress(Unavailable):
                await self.update()
            await asyncio.sleep(UPDATE_S)

    async def update(self) -> None:
        """Set all metrics. Limits that were removed disappear.

        Raises:
            Unavailable: the log could not be reached.
        """
        budgets = dict(self._budgets())
        state = await self._shared.read() if budgets else shared_budget.State()
        day = shared_budget.today(state, self._clock())
        for gauge in (ALLOWED, SPENT, LEFT):
            gauge.clear()
        for name, budget in budgets.items():
            for period in PERIODS:
                used = shared_budget.use(state, name, budget, period, day)
                if used.allowed is not None and used.left is not None:
                    labels = ("system" if name is None else f"key:{name}", period)
                    ALLOWED.labels(*labels).set(used.allowed / 10**12)
                    SPENT.labels(*labels).set((used.spent + used.reserved) / 10**12)
                    LEFT.labels(*labels).set(used.left / 10**12)

    def _budgets(self) -> Iterator[tuple[str | None, PeriodBudget]]:
        if self._system.is_set:
            yield None, self._system
        for entry in self._keys.all():
            if entry.state.budget.is_set:
                yield entry.state.name, entry.state.budget
