"""Starting and cancelling executions of DAGs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from aiohttp import web

from contracts.api.dags import ClarificationRequired
from contracts.api.executions import (
    CancelExecution,
    DagToRun,
    ExecuteDag,
    ExecutionRow,
    ExecutionStarted,
)
from contracts.core.event import Json
from contracts.core.ids import is_id
from contracts.core.scopes import Scope
from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_request
from gateway.api.executions import showing
from gateway.api.executions.jobs import ClarificationNeeded, prepared
from gateway.api.executions.known import require_execution
from gateway.api.runs import cancelling
from gateway.api.runs.limits import narrowed
from gateway.endpoint import Call, endpoint
from gateway.gateway import Gateway
from gateway.http.errors import INVALID_BODY, Refusal
from gateway.http.replies import json_reply
from gateway.state.stored_plans import StoredPlan

TAG = "execution"
REFUSALS = {
    400: "The body or the job is invalid.",
    404: "The DAG does not exist.",
    409: "The DAG has no plan, or is still being planned.",
}
WATCH = "Connect to SSE stream for live updates."
NO_DAG_ID: Json = {
    "code": "invalid_type",
    "expected": "string",
    "received": "undefined",
    "path": ["dagId"],
    "message": "Required",
}


@endpoint(
    "POST",
    "/api/v1/execute-dag",
    summary="Execute a DAG or a whole job",
    tag=TAG,
    scope=Scope.RUN,
    body=ExecuteDag,
    responses={200: ClarificationRequired, 202: ExecutionStarted},
    errors=REFUSALS,
    keyed=True,
)
async def execute_dag(call: Call[ExecuteDag, None]) -> web.StreamResponse:
    """A whole job is stored as a new DAG. The job is validated first; an invalid job is not stored."""
    body = call.body
    if body.job is not None:
        return await _execute(call, partial(_of_job, call, body.job, "job"))
    if body.dag_id is not None:
        return await _execute(call, partial(_of_dag, call, body.dag_id))
    if body.whole_job is not None:
        return await _execute(call, partial(_of_job, call, body.whole_job))
    raise Refusal(400, INVALID_BODY, validation_errors=[NO_DAG_ID])


@endpoint(
    "POST",
    "/api/v1/dag-run",
    summary="Execute a DAG",
    tag=TAG,
    scope=Scope.RUN,
    body=DagToRun,
    responses={200: ExecutionStarted | ClarificationRequired},
    errors=REFUSALS,
    keyed=True,
)
async def run_dag(call: Call[DagToRun, None]) -> web.StreamResponse:
    """Same as execute-dag with an id, except that the status is 200."""
    return await _execute(call, partial(_of_dag, call, call.body.dag_id), status=200)


@endpoint(
    "POST",
    "/api/v1/dag-executions/{id}/cancel",
    summary="Cancel an execution",
    tag=TAG,
    scope=Scope.RUN,
    body=CancelExecution,
    responses={200: ExecutionRow},
    missing="DAG execution with id '{id}' not found",
    errors={409: "The execution has ended."},
)
async def cancel_execution(call: Call[CancelExecution, None]) -> web.StreamResponse:
    """Stops the running steps. Completed steps keep their results. Cancelling again changes nothing."""
    gateway, execution_id = call.gateway, call.path["id"]
    reason = call.body.reason or "requested by a client"
    try:
        seq = await cancelling.cancel(gateway, execution_id, reason, call.origin, require_execution)
    except run.UnknownRun:
        raise call.missing() from None
    except run.AlreadyFinished as error:
        shown = await showing.one(gateway, execution_id)
        raise Refusal(409, str(error), currentStatus=shown and shown["status"]) from error
    is_shown = await gateway.projected(seq)
    shown = await showing.one(gateway, execution_id) if is_shown else None
    if shown is None:
        raise Refusal(
            503,
            "The execution is cancelled, but this is not visible yet: get it in a moment",
            retry_after=1,
        )
    return json_reply(shown)


ENDPOINTS = (execute_dag, run_dag, cancel_execution)


async def _execute(
    call: Call[Any, None], prepare: Callable[[], Awaitable[run.Requested]], *, status: int = 202
) -> web.StreamResponse:
    """Request a run of the job that `prepare` returns, unless an earlier attempt of this request did so."""
    execution_id = call.new_id("dag-exec_", "run")
    made = await call.made_before(RUN, execution_id)
    wanted = made.state.request if made else None
    if wanted is None:
        try:
            wanted = await prepare()
        except ClarificationNeeded as asked:
            return _clarification(asked.dag_id, asked.job)
        stream = await call.create(RUN, execution_id, partial(run.request, wanted=wanted))
        await call.gateway.projected(stream.seq)
    return json_reply(
        {
            "status": "started",
            "executionId": execution_id,
            "dagId": wanted.dag_id,
            "originalRequest": wanted.original_request,
            "totalTasks": len(wanted.job.sub_tasks),
            "message": f"DAG execution started. {WATCH}",
        },
        status,
    )


async def _of_job(call: Call[ExecuteDag, None], given: Json, *path: str) -> run.Requested:
    """Create a DAG from the client's own job, and return the request to execute it."""
    job = await prepared(call.gateway, StoredPlan("", replace(DAG.initial, job=given)), *path)
    own = narrowed(call.gateway, job, call.body)
    import_job = partial(dag.import_job, job=job, title=call.body.dag_title)
    imported = await call.create(DAG, call.new_id("", "dag"), import_job)
    return plan_request(imported.id, imported.state, own, "api")


async def _of_dag(call: Call[Any, None], dag_id: str) -> run.Requested:
    """Return the request to execute an existing DAG."""
    plan = await _stored(call.gateway, dag_id)
    job = narrowed(call.gateway, await prepared(call.gateway, plan), call.body)
    return plan_request(dag_id, plan.state, job, "api")


async def _stored(gateway: Gateway, dag_id: str) -> StoredPlan:
    missing = Refusal(404, f"DAG with id '{dag_id}' not found")
    if not is_id(dag_id):
        raise missing
    plan = await gateway.stored_plans.get(dag_id)
    if plan.state.status in {dag.Status.ABSENT, dag.Status.DELETED}:
        raise missing
    if dag.is_planning(plan.state):
        raise Refusal(409, f"DAG with id '{dag_id}' is still being planned: execute it when there is a plan")
    if plan.state.status is dag.Status.REJECTED:
        raise Refusal(409, f"DAG with id '{dag_id}' has no plan: create another")
    return plan


def _clarification(dag_id: str, job: Job) -> web.StreamResponse:
    """Answer with the question of `job`, and with the id of its DAG if it is stored."""
    named = {"dagId": dag_id} if dag_id else {}
    return json_reply(
        {
            "status": "clarification_required",
            **named,
            "clarification_query": job.clarification_query,
            "validation": job.validation,
        }
    )
