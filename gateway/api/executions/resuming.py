"""Resuming and forking executions of DAGs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from contracts.api.executions import ExecutionResumed
from contracts.api.forks import Forked, ForkRun, ResumeDag
from contracts.core.ids import is_id
from contracts.core.scopes import Scope
from contracts.domain import dag, run, run_requests
from contracts.domain.dag import DAG
from contracts.domain.run_requests import plan_id
from contracts.runtime.stream import Stream
from gateway.api.executions import forking
from gateway.api.executions.control import TAG, WATCH
from gateway.api.executions.jobs import has_same_steps
from gateway.api.executions.known import require_execution
from gateway.api.executions.presenters import API_STATUS
from gateway.api.runs import resuming
from gateway.endpoint import Call, endpoint
from gateway.gateway import Gateway
from gateway.http.errors import Refusal
from gateway.http.replies import json_reply

RESUMABLE = "Only 'suspended' or 'failed' executions can be resumed."
KEEPS_PLAN = "It keeps the plan it was started with; the plan that its DAG has now is for new executions."


@endpoint(
    "POST",
    "/api/v1/resume-dag/{execution_id}",
    summary="Resume a suspended execution",
    tag=TAG,
    scope=Scope.RUN,
    body=ResumeDag,
    responses={202: ExecutionResumed | Forked},
    missing="Execution with id '{execution_id}' not found",
    errors={400: "The execution is not suspended, or a correction does not fit it."},
    keyed=True,
)
async def resume_dag(call: Call[ResumeDag, None]) -> web.StreamResponse:
    """Completed steps are not repeated. The execution keeps the plan it was started with.

    With corrected `steps`, a fork replaces the execution, and the answer names the fork.
    """
    gateway, execution_id = call.gateway, call.path["execution_id"]
    if call.body.steps:
        corrected = ForkRun(steps=call.body.steps, replace=True)
        return await _forked(call, execution_id, corrected, _require_suspended)

    def require(state: run.State, plan: dag.State) -> None:
        _require_known(call, state, plan)
        _require_suspended(run_requests.status(execution_id, state, plan))

    stream = await resuming.resume(gateway, execution_id, call.origin, require)
    request = stream.state.request
    kept = f"{KEEPS_PLAN} " if request and await _has_another_plan(gateway, request) else ""
    return json_reply(
        {
            "status": "resumed",
            "executionId": execution_id,
            "dagId": request.dag_id if request else None,
            "retryCount": stream.state.resumes,
            "message": f"DAG execution resumed. {kept}{WATCH}",
        },
        202,
    )


@endpoint(
    "POST",
    "/api/v1/dag-executions/{id}/fork",
    summary="Fork an execution",
    tag=TAG,
    scope=Scope.RUN,
    body=ForkRun,
    responses={202: Forked},
    missing="DAG execution with id '{id}' not found",
    errors={400: "A change does not fit the execution.", 409: "It has no plan, or its goal is not active."},
    keyed=True,
)
async def fork_execution(call: Call[ForkRun, None]) -> web.StreamResponse:
    """Starts a new execution that inherits every completed step that is not downstream of a change.

    Inherited results cost nothing. An execution in any status can be forked. Questions to a person are not
    inherited: the fork asks again. Changed parameters are validated against the tool's schema. A step whose
    outcome is unknown, because its executor died, is run by the fork: give its result if it took effect.
    """
    return await _forked(call, call.path["id"], call.body)


ENDPOINTS = (resume_dag, fork_execution)


async def _forked(
    call: Call[Any, None],
    execution_id: str,
    wanted: ForkRun,
    require_status: Callable[[run.Status], None] = lambda _: None,
) -> web.StreamResponse:
    """Fork an execution and answer with the id of the fork."""
    plan = await Stream.open(call.gateway.log, DAG, plan_id(execution_id), call.origin)

    def require(state: run.State) -> None:
        _require_known(call, state, plan.state)
        require_status(run_requests.status(execution_id, state, plan.state))
        if state.request is None:
            raise Refusal(409, "the execution has no plan: it can be forked when its plan is made")

    made = await forking.fork(call, execution_id, call.new_id("dag-exec_", "run"), wanted, require)
    named = {"executionId": made.id, "dagId": made.state.request and made.state.request.dag_id}
    return json_reply({**made.row, **named, "message": f"DAG execution started as a fork. {WATCH}"}, 202)


async def _has_another_plan(gateway: Gateway, request: run.Requested) -> bool:
    """Whether the plan of the DAG has changed since the execution was requested."""
    if not is_id(request.dag_id):
        return False
    plan = (await gateway.stored_plans.get(request.dag_id)).state
    return plan.job is not None and not has_same_steps(request.job, plan.job)


def _require_known(call: Call[Any, None], state: run.State, plan: dag.State) -> None:
    try:
        require_execution(state, plan)
        if state.status is run.Status.DELETED:
            raise run.UnknownRun
    except run.UnknownRun:
        raise call.missing() from None


def _require_suspended(status: run.Status) -> None:
    shown = API_STATUS.get(status, status.value)
    match status:
        case run.Status.SUSPENDED:
            return
        case run.Status.CANCELLED:
            error = "Cannot resume execution: it was cancelled, which is final. Start another."
        case run.Status.FAILED:
            error = "Cannot resume execution: no plan was made for its goal. Create another."
        case _:
            error = f"Cannot resume execution with status '{shown}'. {RESUMABLE}"
    raise Refusal(400, error, currentStatus=shown)
