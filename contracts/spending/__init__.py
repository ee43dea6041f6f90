"""Keeps to the shared budget: reserves what a call of a model may cost, and settles it afterwards."""

from __future__ import annotations

from contracts.spending.paying import Pay, Purpose, SharedBudget, unlimited
from contracts.spending.settings import SharedBudgetSettings

__all__ = ["Pay", "Purpose", "SharedBudget", "SharedBudgetSettings", "unlimited"]
