"""Events about the budget of a run. Stored for ever: when a shape changes, raise its version and add an
upcast.
"""

from __future__ import annotations

from typing import ClassVar

from contracts.core.event import Event
from contracts.core.spent import UsdText
from contracts.domain.budget import Budget, Limit


class BudgetSet(Event):
    """The budget of the run was set. Replaces the earlier budget."""

    type: ClassVar[str] = "run.budget_set"
    budget: Budget


class BudgetWarned(Event):
    """80 % of a limit is used. Recorded once for each limit, until the budget is set again."""

    type: ClassVar[str] = "run.budget_warned"
    limit: Limit
    allowed: UsdText
    """The limit as decimal text: dollars, tokens, seconds or steps."""
    spent: UsdText


class BudgetReached(Event):
    """The next step could exceed a limit. Steps that this forbids do not start until the run is resumed."""

    type: ClassVar[str] = "run.budget_reached"
    step: str = ""
    """The step that was about to ask a model. It can start again. Empty: no step had started."""
    attempt: int = 0
    limit: Limit
    allowed: UsdText
    """The limit as decimal text: dollars, tokens, seconds or steps."""
    spent: UsdText
    """What is spent, including calls in progress at their highest possible cost."""
    needed: UsdText | None = None
    """The most that the call may cost; null: unknown, or not a call."""
    reason: str
    shared: str | None = None
    """The shared budget that the limit is of, such as `system/day` or `key:ci/month`; null: the run's own."""
