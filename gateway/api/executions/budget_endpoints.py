"""The budgets of executions over HTTP."""

from __future__ import annotations

from aiohttp import web

from contracts.api.budgets import BudgetChange, RunBudget
from contracts.core.scopes import Scope
from contracts.domain import run
from gateway.api.executions.known import require_execution
from gateway.api.runs import budgets
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply

TAG = "executions"
MISSING = "DAG execution with id '{id}' not found"


@endpoint(
    "GET",
    "/api/v1/dag-executions/{id}/budget",
    summary="Get the budget of an execution",
    tag=TAG,
    scope=Scope.READ,
    responses={200: RunBudget},
    missing=MISSING,
)
async def get_execution_budget(call: Call[None, None]) -> web.StreamResponse:
    """Says what the execution may spend, what it has spent, and what is left, from the log, without delay."""
    try:
        return json_reply(await budgets.show(call.gateway, call.path["id"], call.origin, require_execution))
    except run.UnknownRun:
        raise call.missing() from None


@endpoint(
    "POST",
    "/api/v1/dag-executions/{id}/budget",
    summary="Change the budget of an execution",
    tag=TAG,
    scope=Scope.RUN,
    body=BudgetChange,
    responses={200: RunBudget},
    missing=MISSING,
    errors={409: "The execution has ended, or would stop again at once."},
)
async def set_execution_budget(call: Call[BudgetChange, None]) -> web.StreamResponse:
    """An execution that its budget suspended goes on. A limit below what is spent stops the next step."""
    try:
        changed = await budgets.change(
            call.gateway, call.path["id"], call.body, call.origin, require_execution
        )
    except run.UnknownRun:
        raise call.missing() from None
    return json_reply(changed)


ENDPOINTS = (get_execution_budget, set_execution_budget)
