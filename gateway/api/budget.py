"""The budget that all runs share: what models may cost per day and month, in the system and by key."""

from __future__ import annotations

from datetime import date

from aiohttp import web

from contracts.api.shared_budgets import HolderBudget, PeriodUse, SharedBudgets
from contracts.core.actors import key_name
from contracts.core.scopes import Scope
from contracts.domain import shared_budget
from contracts.domain.keys import Keys
from contracts.domain.shared_budget import PeriodBudget, State
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply


@endpoint(
    "GET",
    "/api/v1/budget",
    summary="Get what models may cost per day and month",
    tag="costs",
    scope=Scope.READ,
    responses={200: SharedBudgets},
)
async def get_budget(call: Call[None, None]) -> web.StreamResponse:
    """Gets the budget of the system and of the key that asks, from the log, without delay.

    The limits of the system are the settings `BUDGET_USD_PER_DAY` and `BUDGET_USD_PER_MONTH`. A key with the
    scope `admin` also gets the budgets of all keys. Calls of models count while a limit applies to them.
    """
    keys = await call.gateway.keys_current()
    state = await call.gateway.shared.read()
    day, asking = shared_budget.today(state, call.gateway.clock()), key_name(call.principal.actor)
    names = _names(state, keys) if call.principal.may(Scope.ADMIN) else None
    budgets = SharedBudgets(
        system=_holder(state, None, call.gateway.settings.shared_budget, day),
        key=_holder(state, asking, keys.budget(asking), day) if asking else None,
        keys=None if names is None else [_holder(state, name, keys.budget(name), day) for name in names],
    )
    return json_reply(budgets)


ENDPOINTS = (get_budget,)


def _names(state: State, keys: Keys) -> list[str]:
    """The keys that have a limit, or for which something is counted."""
    limited = (entry.state.name for entry in keys.all() if entry.state.budget.is_set)
    return sorted({*limited, *state.keys})


def _holder(state: State, name: str | None, budget: PeriodBudget, day: date) -> HolderBudget:
    return HolderBudget(
        name=name,
        day=PeriodUse.of(shared_budget.use(state, name, budget, "day", day)),
        month=PeriodUse.of(shared_budget.use(state, name, budget, "month", day)),
    )
