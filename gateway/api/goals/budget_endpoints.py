"""The budgets of runs of goals over HTTP."""

from __future__ import annotations

from aiohttp import web

from contracts.api.budgets import BudgetChange, RunBudget
from contracts.core.scopes import Scope
from contracts.domain import run
from gateway.api.goals.running import require_goal_run
from gateway.api.runs import budgets
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply

TAG = "runs"
MISSING = "Run not found"


@endpoint(
    "GET",
    "/api/v1/runs/{id}/budget",
    summary="Get the budget of a run",
    tag=TAG,
    scope=Scope.READ,
    responses={200: RunBudget},
    missing=MISSING,
)
async def get_run_budget(call: Call[None, None]) -> web.StreamResponse:
    """Says what the run may spend, what it has spent, and what is left. Comes from the log, without delay."""
    try:
        return json_reply(await budgets.show(call.gateway, call.path["id"], call.origin, require_goal_run))
    except run.UnknownRun:
        raise call.missing() from None


@endpoint(
    "POST",
    "/api/v1/runs/{id}/budget",
    summary="Change the budget of a run",
    tag=TAG,
    scope=Scope.RUN,
    body=BudgetChange,
    responses={200: RunBudget},
    missing=MISSING,
    errors={409: "The run has ended, or would stop again at once."},
)
async def set_run_budget(call: Call[BudgetChange, None]) -> web.StreamResponse:
    """A run that its budget stopped goes on. A limit below what is spent stops a run before its next step."""
    try:
        changed = await budgets.change(
            call.gateway, call.path["id"], call.body, call.origin, require_goal_run
        )
    except run.UnknownRun:
        raise call.missing() from None
    return json_reply(changed)


ENDPOINTS = (get_run_budget, set_run_budget)
