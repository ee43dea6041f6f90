"""Executions of DAGs and their event streams."""

from __future__ import annotations

from aiohttp import web

from contracts.api.executions import (
    ExecutionDeleted,
    ExecutionDetail,
    ExecutionList,
    ExecutionQuery,
    SubStepList,
)
from contracts.core.scopes import Scope
from contracts.domain import run
from gateway.api.executions import showing
from gateway.api.executions.dialect import EXECUTIONS
from gateway.api.executions.known import require_execution
from gateway.api.filters import text_and_time
from gateway.api.runs import cancelling, queries
from gateway.endpoint import LAST_EVENT_ID, Call, Raw, endpoint
from gateway.http.replies import json_reply
from gateway.streams import feeds
from gateway.views.filtering import given
from gateway.views.paging import Part, link

TAG = "executions"
MISSING = "DAG execution with id '{id}' not found"


@endpoint(
    "GET",
    "/api/v1/dag-executions",
    summary="List executions, most recently changed first",
    tag=TAG,
    scope=Scope.READ,
    query=ExecutionQuery,
    responses={200: ExecutionList},
    invalid="Invalid query parameters",
)
async def list_executions(call: Call[None, ExecutionQuery]) -> web.StreamResponse:
    """Omits the steps, and executions whose plan is still being made. Get those by their id.

    With `from` or `to`, the newest executions come first.
    """
    query = call.query
    part = Part(query.limit, query.offset, query.cursor)
    wanted = given(
        status=query.status,
        agent=query.agent,
        forked_from=query.forked_from,
        tool=query.tool,
        min_cost=query.min_cost_usd,
        **text_and_time(query, call.gateway.clock()),
    )
    shown, pagination = await showing.listed(call.gateway, wanted, part)
    return json_reply(
        {"executions": shown, "pagination": pagination},
        headers=link(call.request.url, pagination.get("nextCursor")),
    )


@endpoint(
    "GET",
    "/api/v1/dag-executions/{id}",
    summary="Get an execution and its steps",
    tag=TAG,
    scope=Scope.READ,
    responses={200: ExecutionDetail},
    missing=MISSING,
)
async def get_execution(call: Call[None, None]) -> web.StreamResponse:
    """The synthesis is the last step."""
    shown = await showing.detail(call.gateway, call.path["id"])
    if shown is None:
        raise call.missing()
    return json_reply(shown)


@endpoint(
    "GET",
    "/api/v1/dag-executions/{id}/sub-steps",
    summary="List the steps of an execution",
    tag=TAG,
    scope=Scope.READ,
    responses={200: SubStepList},
    missing=MISSING,
)
async def list_sub_steps(call: Call[None, None]) -> web.StreamResponse:
    """The steps are in the order of their ids. The synthesis is the last step."""
    shown = await showing.with_steps(call.gateway, call.path["id"])
    if shown is None:
        raise call.missing()
    return json_reply({"executionId": call.path["id"], "subSteps": shown["subSteps"]})


@endpoint(
    "DELETE",
    "/api/v1/dag-executions/{id}",
    summary="Delete an execution and its steps",
    tag=TAG,
    scope=Scope.RUN,
    responses={200: ExecutionDeleted},
    missing=MISSING,
)
async def delete_execution(call: Call[None, None]) -> web.StreamResponse:
    """An execution in progress is cancelled first."""
    gateway, execution_id = call.gateway, call.path["id"]
    steps = await queries.number_of_steps(gateway, execution_id)
    try:
        seq = await cancelling.delete(gateway, execution_id, call.origin, require_execution)
    except run.UnknownRun:
        raise call.missing() from None
    await gateway.projected(seq)
    return json_reply(
        {
            "message": "DAG execution deleted successfully",
            "executionId": execution_id,
            "cascadeInfo": {"relatedSubStepsDeleted": steps},
        }
    )


@endpoint(
    "GET",
    "/api/v1/dag-executions/{id}/events",
    summary="Stream the events of an execution",
    tag=TAG,
    scope=Scope.READ,
    responses={200: Raw("text/event-stream", "Server-sent events, each named by its type.")},
    missing=MISSING,
    headers=(LAST_EVENT_ID,),
)
async def watch_execution(call: Call[None, None]) -> web.StreamResponse:
    """Sends the current state first, then each event as it happens.

    With `Last-Event-ID`, it sends the events after that one. The stream stays open after the execution ends.
    """
    with call.gateway.stream_limit.slot(call.principal.actor):
        return await _watched(call)


async def _watched(call: Call[None, None]) -> web.StreamResponse:
    async with call.gateway.feeds.watching(call.path["id"], EXECUTIONS) as feed:
        if not feed.is_known:
            raise call.missing()
        return await feeds.answer(feed, call.request)


ENDPOINTS = (
    list_executions,
    get_execution,
    list_sub_steps,
    delete_execution,
    watch_execution,
)
