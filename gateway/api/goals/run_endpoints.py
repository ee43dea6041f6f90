"""Runs of goals and their event streams."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from contracts.api.executions import CancelExecution
from contracts.api.forks import Forked, ForkRun
from contracts.api.runs import RunOutputRow, RunQuery, RunResumed, RunRow, RunStepRow
from contracts.core.scopes import Scope
from contracts.domain import run
from contracts.domain.dag import DAG
from contracts.domain.run_requests import plan_id
from contracts.runtime.stream import Stream
from gateway.api.executions import forking
from gateway.api.filters import text_and_time
from gateway.api.goals import resuming, run_showing, run_steps, running
from gateway.api.goals.dialect import GOAL_RUNS
from gateway.endpoint import LAST_EVENT_ID, Call, Raw, endpoint
from gateway.http.errors import Refusal
from gateway.http.replies import json_reply, no_content
from gateway.streams import feeds
from gateway.views.filtering import given
from gateway.views.paging import Part, link

TAG = "runs"
MISSING = "Run not found"


@endpoint(
    "GET",
    "/api/v1/runs",
    summary="List runs of goals, newest first",
    tag=TAG,
    scope=Scope.READ,
    query=RunQuery,
    responses={200: list[RunRow]},
    invalid="Invalid query parameters",
)
async def list_runs(call: Call[None, RunQuery]) -> web.StreamResponse:
    """Includes the goal of each run. All filters that are given apply."""
    query = call.query
    part = Part(query.limit, query.offset, query.cursor)
    wanted = given(
        status=query.status,
        goal_id=query.goal_id,
        agent=query.agent,
        forked_from=query.forked_from,
        tool=query.tool,
        min_cost=query.min_cost_usd,
        **text_and_time(query, call.gateway.clock()),
    )
    shown, cursor = await run_showing.listed(call.gateway, wanted, part)
    return json_reply(shown, headers=link(call.request.url, cursor))


@endpoint(
    "GET",
    "/api/v1/runs/{id}",
    summary="Get a run",
    tag=TAG,
    scope=Scope.READ,
    responses={200: RunRow},
    missing=MISSING,
)
async def get_run(call: Call[None, None]) -> web.StreamResponse:
    """Includes its goal and all its results."""
    return await _reply(call)


@endpoint(
    "GET",
    "/api/v1/runs/{id}/steps",
    summary="List the steps of a run",
    tag=TAG,
    scope=Scope.READ,
    responses={200: list[RunStepRow]},
    missing=MISSING,
)
async def list_steps(call: Call[None, None]) -> web.StreamResponse:
    """Lists the steps that have started, in order."""
    shown = await run_steps.steps(call.gateway, call.path["id"])
    if shown is None:
        raise call.missing()
    return json_reply(shown)


@endpoint(
    "GET",
    "/api/v1/runs/{id}/outputs",
    summary="List the outputs of a run",
    tag=TAG,
    scope=Scope.READ,
    responses={200: list[RunOutputRow]},
    missing=MISSING,
)
async def list_outputs(call: Call[None, None]) -> web.StreamResponse:
    """Outputs are files, webhooks, e-mails and the summary, oldest first."""
    shown = await run_steps.outputs_of_run(call.gateway, call.path["id"])
    if shown is None:
        raise call.missing()
    return json_reply(shown)


@endpoint(
    "POST",
    "/api/v1/runs/{id}/cancel",
    summary="Cancel a run",
    tag=TAG,
    scope=Scope.RUN,
    body=CancelExecution,
    responses={200: RunRow},
    missing=MISSING,
    errors={409: "The run has ended."},
)
async def cancel_run(call: Call[CancelExecution, None]) -> web.StreamResponse:
    """Stops the running steps. Completed steps keep their results. Cancelling again changes nothing."""
    gateway, run_id = call.gateway, call.path["id"]
    reason = call.body.reason or "requested by a client"
    try:
        seq = await running.cancel(gateway, run_id, reason, call.origin)
    except run.UnknownRun:
        raise call.missing() from None
    except run.AlreadyFinished as error:
        shown = await run_showing.one(gateway, run_id)
        raise Refusal(409, str(error), currentStatus=shown and shown["status"]) from error
    if not await gateway.projected(seq):
        raise Refusal(
            503,
            "The run is cancelled, but this is not visible yet: get it in a moment",
            retry_after=1,
        )
    return await _reply(call)


@endpoint(
    "POST",
    "/api/v1/runs/{id}/resume",
    summary="Resume a failed run",
    tag=TAG,
    scope=Scope.RUN,
    responses={202: RunResumed},
    missing=MISSING,
    errors={409: "The run or its goal is in a state in which the run cannot go on."},
)
async def resume_run(call: Call[None, None]) -> web.StreamResponse:
    """Resumes a run that failed, is suspended, or ended with failed calls. Completed steps are not repeated.

    An agent goes on after its last turn, with its prompt, tools and model as they are now. A call whose
    outcome is unknown runs again only if it is safe to repeat; else the agent is told. A run that did what it
    was told, used all its turns, or was cancelled cannot be resumed: fork it, or run the goal again.
    """
    try:
        stream = await resuming.resume(call, call.path["id"])
    except run.UnknownRun:
        raise call.missing() from None
    return json_reply(
        {
            "status": "resumed",
            "runId": stream.id,
            "goalId": stream.state.goal_id,
            "retryCount": stream.state.resumes,
            "message": "Run resumed",
        },
        202,
    )


@endpoint(
    "POST",
    "/api/v1/runs/{id}/fork",
    summary="Fork a run",
    tag=TAG,
    scope=Scope.RUN,
    body=ForkRun,
    responses={202: Forked},
    missing=MISSING,
    errors={400: "A change does not fit the run.", 409: "It has no plan, or its goal is not active."},
    keyed=True,
)
async def fork_run(call: Call[ForkRun, None]) -> web.StreamResponse:
    """Starts a new run of the goal that inherits the turns of the agent before a change.

    A fork of a run by a plan inherits every completed step that is not downstream of a change. Inherited
    results cost nothing. Changed parameters of a call are validated against the tool's schema.
    """
    run_id = call.path["id"]
    plan = await Stream.open(call.gateway.log, DAG, plan_id(run_id), call.origin)

    def require(state: run.State) -> None:
        running.require_goal_run(state, plan.state)
        if state.status is run.Status.ABSENT:
            raise Refusal(409, "the run has no plan: it can be forked when its plan is made")

    try:
        made = await forking.fork(call, run_id, call.new_id("run_", "run"), call.body, require)
    except run.UnknownRun:
        raise call.missing() from None
    named = {"runId": made.id, "goalId": made.state.goal_id}
    return json_reply({**made.row, **named, "message": "Run started as a fork"}, 202)


@endpoint(
    "DELETE",
    "/api/v1/runs/{id}",
    summary="Delete a run with its steps and outputs",
    tag=TAG,
    scope=Scope.RUN,
    responses={204: None},
    missing=MISSING,
)
async def delete_run(call: Call[None, None]) -> web.StreamResponse:
    """A run in progress is cancelled first."""
    try:
        seq = await running.delete(call.gateway, call.path["id"], call.origin)
    except run.UnknownRun:
        raise call.missing() from None
    await call.gateway.projected(seq)
    return no_content()


@endpoint(
    "GET",
    "/api/v1/runs/{id}/events",
    summary="Stream the events of a run",
    tag=TAG,
    scope=Scope.READ,
    responses={200: Raw("text/event-stream", "Server-sent events, each named by its type.")},
    missing=MISSING,
    headers=(LAST_EVENT_ID,),
)
async def watch_run(call: Call[None, None]) -> web.StreamResponse:
    """Sends the current state first, then each event as it happens.

    With `Last-Event-ID`, it sends the events after that one. The stream stays open after the run ends.
    """
    with call.gateway.stream_limit.slot(call.principal.actor):
        return await _watched(call)


async def _watched(call: Call[None, None]) -> web.StreamResponse:
    async with call.gateway.feeds.watching(call.path["id"], GOAL_RUNS) as feed:
        if not feed.is_known:
            raise call.missing()
        return await feeds.answer(feed, call.request)


ENDPOINTS = (
    list_runs,
    get_run,
    list_steps,
    list_outputs,
    cancel_run,
    resume_run,
    fork_run,
    delete_run,
    watch_run,
)


async def _reply(call: Call[Any, None]) -> web.StreamResponse:
    shown = await run_showing.one(call.gateway, call.path["id"])
    if shown is None:
        raise call.missing()
    return json_reply(shown)
