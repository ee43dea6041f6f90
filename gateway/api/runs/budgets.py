"""Shows and changes the budgets of runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.api.budgets import BudgetChange, LimitRow, RunBudget
from contracts.core.event import Event
from contracts.core.money import decimal_text
from contracts.domain import run
from contracts.domain.budget import LIMITS, Budget, Limit
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_id
from contracts.runtime.stream import Origin, Stream
from gateway.api.runs.resuming import Require
from gateway.gateway import Gateway


async def show(gateway: Gateway, run_id: str, origin: Origin, require: Require) -> RunBudget:
    """Return the budget of a run, with what is spent and left, from the log.

    Raises:
        UnknownRun: the run does not exist, or its plan is not made yet.
    """
    stream = await Stream.open(gateway.log, RUN, run_id, origin)
    await _require(gateway, run_id, stream.state, origin, require)
    return _row(run_id, stream.state, gateway.clock())


async def change(
    gateway: Gateway, run_id: str, changes: BudgetChange, origin: Origin, require: Require
) -> RunBudget:
    """Change limits of a run. A run that its budget stopped goes on.

    Raises:
        UnknownRun: the run does not exist, or its plan is not made yet.
        BudgetRefused: the run has ended, or would stop again at once.
    """
    stream = await Stream.open(gateway.log, RUN, run_id, origin)
    await _require(gateway, run_id, stream.state, origin, require)

    def decide(state: run.State) -> Sequence[Event]:
        return run.set_budget(state, changes.changes, gateway.clock())

    await stream.decide(decide)
    await gateway.projected(stream.seq)
    return _row(run_id, stream.state, gateway.clock())


async def _require(gateway: Gateway, run_id: str, state: run.State, origin: Origin, require: Require) -> None:
    plan = await Stream.open(gateway.log, DAG, plan_id(run_id), origin)
    run.require_known(state)
    require(state, plan.state)


def _row(run_id: str, state: run.State, now: datetime) -> RunBudget:
    budget = state.budget or Budget()
    reached = state.over_budget and state.over_budget.reason
    limits = [_limit(limit, budget, state, now) for limit in LIMITS]
    return RunBudget(run_id=run_id, limits=limits, reached=reached)


def _limit(limit: Limit, budget: Budget, state: run.State, now: datetime) -> LimitRow:
    allowed, spent = budget.of(limit), run.used(state, limit, now)
    return LimitRow(
        limit=limit,
        allowed=None if allowed is None else decimal_text(allowed),
        spent=decimal_text(spent),
        left=None if allowed is None else decimal_text(max(allowed - spent, allowed * 0)),
    )
