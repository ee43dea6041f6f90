"""Planning: a goal goes into the log, a planner makes a plan of it, and the client is told what came of it.

Whether the client waits, leaves or never waited makes no difference to the plan.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any

from aiohttp import web

from contracts import dag, run
from contracts.api.dags import ClarificationRequired, Clarify, CreateDag, Executing, Planned, StillPlanning
from contracts.dag import DAG
from contracts.ids import new_id
from contracts.run import RUN
from contracts.runtime.log import Unavailable
from contracts.runtime.stream import Stream, transact
from gateway.endpoint import Call, endpoint, json_reply
from gateway.errors import Refusal
from gateway.planning_answers import answer
from gateway.schedules import schedule_of

TAG = "planning"
OUTCOMES = frozenset({dag.Status.PLANNED, dag.Status.CLARIFICATION, dag.Status.REJECTED, dag.Status.DELETED})
RUN_WAIT_S = 5.0
"""How long an answer waits for the run that it names."""


@endpoint(
    "POST",
    "/api/v1/create-dag",
    summary="Plan a goal",
    tag=TAG,
    body=CreateDag,
    responses={200: Planned | ClarificationRequired, 202: StillPlanning},
)
async def create_dag(call: Call[CreateDag, None]) -> web.StreamResponse:
    """Waits for the plan, unless `Prefer: respond-async` asks not to."""
    return await _plan(call, await _requested(call, schedule_of(call.body)))


@endpoint(
    "POST",
    "/api/v1/create-and-execute-dag",
    summary="Plan a goal and execute the plan",
    tag=TAG,
    body=CreateDag,
    responses={200: ClarificationRequired, 202: Executing | StillPlanning},
)
async def create_and_execute_dag(call: Call[CreateDag, None]) -> web.StreamResponse:
    """Waits for the plan, unless `Prefer: respond-async` asks not to; never for the end of the execution."""
    schedule = schedule_of(call.body)
    try:
        wanted = await _requested(call, schedule)
    except Refusal as refusal:
        refusal.body["status"] = "failed"
        raise
    return await _plan(call, wanted.model_copy(update={"run_id": new_id("dag-exec_")}))


@endpoint(
    "POST",
    "/api/v1/dags/{id}/clarify",
    summary="Answer the question that planning stopped at",
    tag=TAG,
    body=Clarify,
    responses={200: Planned | ClarificationRequired, 202: Executing | StillPlanning},
    missing="DAG with id '{id}' not found",
)
async def clarify_dag(call: Call[Clarify, None]) -> web.StreamResponse:
    """Planning goes on with the answer, and is answered as when the DAG was created."""
    decide = partial(dag.clarify, answer=call.body.answer)
    try:
        stream = await transact(call.gateway.log, DAG, call.path["id"], decide, call.origin)
    except dag.UnknownDag:
        raise call.missing() from None
    return await _outcome(call, stream)


ENDPOINTS = (create_dag, create_and_execute_dag, clarify_dag)


async def _requested(call: Call[CreateDag, None], schedule: dag.Schedule | None) -> dag.Requested:
    """What the body asks for.

    Raises:
        Refusal: there is no such model or agent to plan it with.
    """
    gateway, body = call.gateway, call.body
    entry = (await gateway.agents_current()).active(body.agent_name)
    if body.provider and body.model:
        if problem := gateway.llm_problem(body.provider, body.model):
            raise Refusal(400, "Invalid LLM provider configuration", details=problem)
    elif problem := gateway.llm_problem(*((entry.state.provider, entry.state.model) if entry else ())):
        raise Refusal(503, problem)
    if entry is None:
        raise Refusal(404, f"Agent '{body.agent_name}' not found OR not active")
    return dag.Requested(
        goal_text=body.goal_text,
        agent_name=body.agent_name,
        provider=body.provider,
        model=body.model,
        max_tokens=body.max_tokens,
        temperature=body.temperature,
        seed=body.seed,
        schedule=schedule,
    )


async def _plan(call: Call[CreateDag, None], wanted: dag.Requested) -> web.StreamResponse:
    stream = Stream(call.gateway.log, DAG, new_id(), call.origin)
    await stream.append(dag.request(stream.state, wanted))
    return await _outcome(call, stream)


async def _outcome(call: Call[Any, None], stream: Stream[dag.State]) -> web.StreamResponse:
    """What came of planning, or that it goes on."""
    gateway = call.gateway
    if _responds_async(call.request):
        return await _still_planning(call, stream)
    try:
        async with asyncio.timeout(gateway.settings.planning_wait_s):
            ended = await gateway.hub.wait_for("dag", stream.id, OUTCOMES, after=stream.seq)
    except (TimeoutError, Unavailable):
        return await _still_planning(call, stream)
    await stream.refresh()
    await gateway.projected(ended.seq)
    status, body = answer(stream.id, stream.state, ended.commit.events[-1])
    if "executionId" in body:
        await _run_is_shown(call, body["executionId"])
    return json_reply(body, status)


async def _run_is_shown(call: Call[Any, None], run_id: str) -> None:
    """Give the planner the moment it needs to ask for the run, so that the client finds it."""
    with contextlib.suppress(TimeoutError, Unavailable):
        async with asyncio.timeout(RUN_WAIT_S):
            requested = await call.gateway.hub.wait_for(RUN.name, run_id, frozenset(run.Status))
            await call.gateway.projected(requested.seq)


async def _still_planning(call: Call[Any, None], stream: Stream[dag.State]) -> web.StreamResponse:
    await call.gateway.projected(stream.seq)
    body = {"status": "planning", "dagId": stream.id}
    if stream.state.request and stream.state.request.run_id:
        body["executionId"] = stream.state.request.run_id
    return json_reply(body, 202, {"Location": f"/api/v1/dags/{stream.id}"})


def _responds_async(request: web.Request) -> bool:
    preferences = ",".join(request.headers.getall("Prefer", ())).split(",")
    return any(one.partition(";")[0].strip().lower() == "respond-async" for one in preferences)
