"""Planning: a language model makes a plan for a goal, and the client receives the result.

Planning continues if the client disconnects.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web

from contracts.api.dags import ClarificationRequired, Clarify, CreateDag, Executing, Planned, StillPlanning
from contracts.core.scopes import Scope
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.domain.run_requests import plan_id
from contracts.runtime.stream import Stream, transact
from gateway.api.planning.requests import outcome, planning_request
from gateway.api.schedules.parsing import schedule_of
from gateway.endpoint import Call, Header, endpoint
from gateway.http.errors import Refusal
from gateway.http.replies import json_reply

TAG = "planning"
FAILED = {"status": "failed"}
"""Further keys of the error answers of create-and-execute-dag, except errors of its schedule."""
PREFER = Header("Prefer", "`respond-async`: do not wait for the plan.")
REFUSALS = {
    400: "The goal, the schedule or the provider is invalid, or the model returned only invalid plans.",
    404: "No active agent has this name.",
    409: "The DAG was deleted while it was being planned.",
    500: "The model returned no readable plan.",
}


@endpoint(
    "POST",
    "/api/v1/create-dag",
    summary="Plan a goal",
    tag=TAG,
    scope=Scope.RUN,
    body=CreateDag,
    responses={200: Planned | ClarificationRequired, 202: StillPlanning},
    errors=REFUSALS,
    headers=(PREFER,),
    keyed=True,
)
async def create_dag(call: Call[CreateDag, None]) -> web.StreamResponse:
    """Waits for the plan unless `Prefer: respond-async` is sent."""
    dag_id = call.new_id("", "dag")
    stream = await call.made_before(DAG, dag_id)
    if stream is None:
        wanted = await planning_request(call.gateway, call.body, schedule_of(call.body))
        stream = await call.create(DAG, dag_id, partial(dag.request, wanted=wanted))
    return await _outcome(call, stream, after=0)


@endpoint(
    "POST",
    "/api/v1/create-and-execute-dag",
    summary="Plan a goal and execute the plan",
    tag=TAG,
    scope=Scope.RUN,
    body=CreateDag,
    responses={200: ClarificationRequired, 202: Executing | StillPlanning},
    invalid_too=FAILED,
    errors=REFUSALS,
    headers=(PREFER,),
    keyed=True,
)
async def create_and_execute_dag(call: Call[CreateDag, None]) -> web.StreamResponse:
    """Waits for the plan unless `Prefer: respond-async` is sent. Does not wait for the execution to end."""
    execution_id = call.new_id("dag-exec_", "run")
    stream = await call.made_before(DAG, plan_id(execution_id))
    if stream is None:
        wanted = (await _request_to_execute(call)).model_copy(update={"run_id": execution_id})
        stream = await call.create(DAG, plan_id(execution_id), partial(dag.request, wanted=wanted))
    return await _outcome(call, stream, after=0)


@endpoint(
    "POST",
    "/api/v1/dags/{id}/clarify",
    summary="Answer the clarification question of a DAG",
    tag=TAG,
    scope=Scope.RUN,
    body=Clarify,
    responses={200: Planned | ClarificationRequired, 202: Executing | StillPlanning},
    missing="DAG with id '{id}' not found",
    errors={**REFUSALS, 409: "The DAG does not wait for a clarification."},
    headers=(PREFER,),
)
async def clarify_dag(call: Call[Clarify, None]) -> web.StreamResponse:
    """Continues planning with the answer. The response is the same as that of create-dag."""
    decide = partial(dag.clarify, answer=call.body.answer)
    try:
        stream = await transact(call.gateway.log, DAG, call.path["id"], decide, call.origin)
    except dag.UnknownDag:
        raise call.missing() from None
    return await _outcome(call, stream, after=stream.seq)


ENDPOINTS = (create_dag, create_and_execute_dag, clarify_dag)


async def _request_to_execute(call: Call[CreateDag, None]) -> dag.Requested:
    schedule = schedule_of(call.body)
    try:
        return await planning_request(call.gateway, call.body, schedule)
    except Refusal as refusal:
        refusal.body |= FAILED
        raise


async def _outcome(call: Call[Any, None], stream: Stream[dag.State], *, after: int) -> web.StreamResponse:
    """Answer with the result of planning, or with 202 if planning continues."""
    answer = None if _responds_async(call.request) else await outcome(call.gateway, stream, after=after)
    return json_reply(answer[1], answer[0]) if answer else await _still_planning(call, stream)


async def _still_planning(call: Call[Any, None], stream: Stream[dag.State]) -> web.StreamResponse:
    await call.gateway.projected(stream.seq)
    body = {"status": "planning", "dagId": stream.id}
    if stream.state.request and stream.state.request.run_id:
        body["executionId"] = stream.state.request.run_id
    return json_reply(body, 202, {"Location": f"/api/v1/dags/{stream.id}"})


def _responds_async(request: web.Request) -> bool:
    preferences = ",".join(request.headers.getall("Prefer", ())).split(",")
    return any(one.partition(";")[0].strip().lower() == "respond-async" for one in preferences)
