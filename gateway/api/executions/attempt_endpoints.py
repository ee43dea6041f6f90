"""The attempts at steps of executions over HTTP."""

from __future__ import annotations

from aiohttp import web

from contracts.api.attempts import PromptQuery, StepAttempts, StepPrompt
from contracts.core.scopes import Scope
from gateway.api.runs.step_attempts import StepHistory, history_of, prompt_of
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply

TAG = "executions"
MISSING = "DAG execution with id '{id}' not found"


@endpoint(
    "GET",
    "/api/v1/dag-executions/{id}/steps/{step}/attempts",
    summary="List the attempts at a step of an execution",
    tag=TAG,
    scope=Scope.READ,
    responses={200: StepAttempts},
    missing=MISSING,
)
async def list_attempts_of_execution(call: Call[None, None]) -> web.StreamResponse:
    """`step` is its id in the plan, or `__SYNTHESIS__`. The oldest attempt is first."""
    return json_reply((await _history(call)).row)


@endpoint(
    "GET",
    "/api/v1/dag-executions/{id}/steps/{step}/prompt",
    summary="Get the prompt of a step of an execution",
    tag=TAG,
    scope=Scope.READ,
    query=PromptQuery,
    responses={200: StepPrompt},
    missing=MISSING,
)
async def get_prompt_of_execution(call: Call[None, PromptQuery]) -> web.StreamResponse:
    """Returns exactly what an attempt sent to the model. `step` is as in the attempts.

    A prompt can be read when its attempt has ended. Steps that call a tool have none.
    """
    return json_reply(await prompt_of(call.gateway, await _history(call), call.query.attempt))


async def _history(call: Call[None, PromptQuery] | Call[None, None]) -> StepHistory:
    history = await history_of(call.gateway, call.path["id"], call.path["step"])
    if history is None or history.run.request is None:
        raise call.missing()
    return history


ENDPOINTS = (list_attempts_of_execution, get_prompt_of_execution)
