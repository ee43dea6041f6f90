"""The decisions about the budget of a run. Pure.

What is spent is part of the state, because each event that a model was paid for carries it. `steps` and
`seconds` are checked by the decision that starts steps, `usd` and `tokens` just before a call, when its
prompt is known (`executor.run_budget`). A call that a crash cut off counts as much as the next answer at the
same step, because the provider may have charged for it. `run.budget_reached` puts the step back. When nothing
else can go on, the run stops as it does after an error; `run.budget_set` and `run.resumed` continue it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from contracts.core.aggregate import DomainError
from contracts.core.event import Event, Json
from contracts.core.money import decimal_text
from contracts.core.spent import Estimate
from contracts.domain.budget import LIMITS, Budget, Limit, Spending
from contracts.domain.run.budget_events import BudgetReached, BudgetSet, BudgetWarned
from contracts.domain.run.events import Resumed
from contracts.domain.run.goal_events import SUMMARY
from contracts.domain.run.state import OPEN, State, Status, require_known
from contracts.domain.run.steps import SYNTHESIS

WARN_AT = Decimal("0.8")
"""The share of a limit that is warned about."""
UNITS: Mapping[Limit, str] = {"usd": "US dollars", "tokens": "tokens", "seconds": "seconds", "steps": "steps"}
_REPORTS = frozenset({SYNTHESIS, SUMMARY})


class BudgetRefused(DomainError):
    """The budget cannot be set."""


def used(state: State, limit: Limit, now: datetime) -> Decimal:
    """What a run has used of one limit."""
    match limit:
        case "usd" | "tokens":
            return state.spent.of(limit)
        case "seconds":
            return Decimal(worked_ms(state, now)) / 1000
        case "steps":
            return Decimal(_started(state))


def worked_ms(state: State, now: datetime) -> int:
    """Milliseconds that the run has been running."""
    is_working = state.status is Status.RUNNING and state.started_at is not None
    since = (now - state.started_at) // timedelta(milliseconds=1) if is_working and state.started_at else 0
    return state.worked_ms + max(0, since)


def counted_steps(state: State, fork: State) -> int:
    """The started steps of a run that count for the fork that replaces it.

    A step without a result runs again in the fork. That is a retry, and a step counts once.
    """
    attempted = [step for step in state.attempts if step not in _REPORTS]
    return _started(state) - sum(not (state.has_result(one) or fork.has_result(one)) for one in attempted)


def affordable(state: State, steps: Sequence[str]) -> Sequence[str]:
    """Those of `steps` that the budget allows to start, the run's own and the shared one."""
    match state.over_budget and state.over_budget.limit:
        case "usd" | "tokens":
            return [step for step in steps if not state.graph.steps[step].task.is_inference]
        case "seconds":
            return []
    return _within_steps(state, steps)


def reached(state: State, steps: Sequence[str], now: datetime) -> BudgetReached | None:
    """The limit of steps or seconds that forbids some of `steps`; None if none does."""
    if state.budget is None or state.over_budget or not steps:
        return None
    limits: tuple[Limit, ...] = ("seconds", "steps")
    for limit in limits if any(_is_new(state, step) for step in steps) else limits[:1]:
        allowed, spent = state.budget.of(limit), used(state, limit, now)
        if allowed is not None and spent >= allowed:
            return _reached(state.budget, limit, spent, None)
    return None


def exceeded(budget: Budget, spent: Spending, needed: Estimate) -> BudgetReached | None:
    """The limit that a call of a model could exceed; None if the call may be made.

    `spent`: with the most that calls in progress may cost.
    """
    if budget.usd is not None and needed.pico_usd is None:
        why = (
            f"budget: the price of the model {needed.model} is not known, so {budget.usd} US dollars may be "
            "exceeded. Limit tokens instead, or set BUDGET_UNPRICED=allow"
        )
        return _reached(budget, "usd", spent.of("usd"), None).model_copy(update={"reason": why})
    limits: tuple[Literal["usd", "tokens"], ...] = ("usd", "tokens")
    for limit in limits:
        allowed, more = budget.of(limit), Spending.most(needed).of(limit)
        if allowed is not None and spent.of(limit) + more > allowed:
            return _reached(budget, limit, spent.of(limit), more)
    return None


def warnings(state: State, now: datetime) -> list[Event]:
    """A warning for each limit of which 80 % is used for the first time."""
    if state.budget is None:
        return []
    return [
        BudgetWarned(limit=limit, allowed=decimal_text(allowed), spent=decimal_text(spent))
        for limit in LIMITS
        if limit not in state.warned
        and (allowed := state.budget.of(limit)) is not None
        and (spent := used(state, limit, now)) >= allowed * WARN_AT
    ]


def set_budget(state: State, changes: Mapping[Limit, Json], now: datetime) -> list[Event]:
    """Change limits of a run; None removes one. A run that its budget stopped goes on.

    Raises:
        UnknownRun: there is no such run.
        BudgetRefused: the run has ended, or the new limit is not above what is spent.
    """
    require_known(state)
    over = state.over_budget
    if over and over.shared and state.status is Status.FAILED:
        raise BudgetRefused(over.reason)
    is_stopped = over is not None and not over.shared and state.status in {Status.SUSPENDED, Status.FAILED}
    if state.status not in OPEN and not is_stopped:
        raise BudgetRefused(f"the run is {state.status}: its budget cannot be changed any more")
    old = state.budget.model_dump() if state.budget else {}
    budget = Budget.model_validate({**old, **changes})
    if is_stopped and over:
        _require_more(state, budget, over, now)
    if budget == (state.budget or Budget()):
        return []
    return [BudgetSet(budget=budget), *([Resumed()] if is_stopped else [])]


def _require_more(state: State, budget: Budget, reached: BudgetReached, now: datetime) -> None:
    """Raises BudgetRefused if the run would stop again at once."""
    allowed, least = budget.of(reached.limit), used(state, reached.limit, now)
    if allowed is None:
        return
    if reached.needed is not None:
        least += Decimal(reached.needed)
    if allowed < least or (reached.needed is None and allowed <= least):
        at_least = "at least" if reached.needed is not None else "more than"
        raise BudgetRefused(
            f"{reached.limit}: the run cannot go on with {decimal_text(allowed)} {UNITS[reached.limit]}: "
            f"give {at_least} {decimal_text(least)}"
        )


def _reached(budget: Budget, limit: Limit, spent: Decimal, needed: Decimal | None) -> BudgetReached:
    allowed = budget.of(limit) or Decimal(0)
    call = f", and the next call may need {decimal_text(needed)}" if needed is not None else ""
    return BudgetReached(
        limit=limit,
        allowed=decimal_text(allowed),
        spent=decimal_text(spent),
        needed=None if needed is None else decimal_text(needed),
        reason=f"budget: {decimal_text(spent)} of {decimal_text(allowed)} {UNITS[limit]} are spent{call}",
    )


def _within_steps(state: State, steps: Sequence[str]) -> Sequence[str]:
    """The first of `steps` that the limit of steps leaves room for. Retries and the report need none."""
    if state.budget is None or state.budget.steps is None:
        return steps
    left = state.budget.steps - _started(state)
    kept = []
    for step in steps:
        is_new = _is_new(state, step)
        if not is_new or left > 0:
            kept.append(step)
            left -= is_new
    return kept


def _started(state: State) -> int:
    return state.counted_steps + sum(step not in _REPORTS for step in state.attempts)


def _is_new(state: State, step: str) -> bool:
    return step not in state.attempts and step not in _REPORTS
