"""The budget of one run in this process: calls of models are made only if the run can afford them.

The budgets that runs share are in `contracts.spending`.
"""

from __future__ import annotations

from collections.abc import Callable

from contracts.core.money import usd_text
from contracts.core.spent import Estimate
from contracts.domain import run
from contracts.domain.budget import Spending
from contracts.domain.shared_budget import LimitReached
from executor.outcomes import Key


class OverBudget(Exception):
    """The run cannot afford the call. The step starts again when the run is resumed."""

    def __init__(self, reached: run.BudgetReached) -> None:
        super().__init__(reached.reason)
        self.reached = reached


def over_shared_budget(limit: LimitReached, step: str, attempt: int) -> OverBudget:
    """The same for a limit of the system or of a key."""
    reached = limit.reached
    needed = reached.needed.pico_usd
    return OverBudget(
        run.BudgetReached(
            step=step,
            attempt=attempt,
            limit="usd",
            allowed=usd_text(reached.limit.pico_usd),
            spent=usd_text(reached.spent + reached.reserved),
            needed=usd_text(needed),
            reason=limit.then("resume the run"),
            shared=reached.name,
        )
    )


class RunBudget:
    """Reserves the most that each call in progress may cost.

    All steps of a run are executed by one process, so the reservations need not be stored.
    """

    def __init__(self, state: Callable[[], run.State]) -> None:
        self._state = state
        self._reserved: dict[Key, Spending] = {}

    @property
    def limits_models(self) -> bool:
        """Whether dollars or tokens are limited."""
        budget = self._state().budget
        return budget is not None and (budget.usd is not None or budget.tokens is not None)

    def reserve(self, step: str, attempt: int, needed: Estimate) -> None:
        """Reserve what a call may cost, until the outcome of its attempt is recorded.

        Raises:
            OverBudget: the run cannot afford it.
        """
        state = self._state()
        if state.budget is None:
            return
        self._reserved = {
            key: one for key, one in self._reserved.items() if state.running.get(key[0]) == key[1]
        }
        spent = state.spent
        for key, one in self._reserved.items():
            spent = spent.and_(one) if key != (step, attempt) else spent
        lost = Spending.most(needed).times(state.lost.get(step, 0))
        if reached := run.exceeded(state.budget, spent.and_(lost), needed):
            raise OverBudget(reached.model_copy(update={"step": step, "attempt": attempt}))
        self._reserved[step, attempt] = Spending.most(needed).and_(lost)
