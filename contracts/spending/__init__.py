"""Keeps to the shared budget: reserves what a call of a model may cost, and settles it afterwards.

Before a call, `budget.reserved` with the most that it may cost is in the log; afterwards `budget.settled`
replaces it. Only a decision under the lock reserves, so what is spent and reserved never exceeds a limit,
whatever several processes do at once. A reservation that is not settled keeps counting. When the same step is
attempted again, or after an hour, it is settled at its amount, because the provider may have charged for the
call. The key is the one that pays for the work, see `contracts.domain.payer`. A call that no limit applies to
reads and writes nothing.
"""

from __future__ import annotations

from contracts.spending.paying import Pay, Purpose, SharedBudget, unlimited
from contracts.spending.settings import SharedBudgetSettings

__all__ = ["Pay", "Purpose", "SharedBudget", "SharedBudgetSettings", "unlimited"]
