"""Experiments: one goal planned by every given model at every given temperature."""

from __future__ import annotations

import asyncio
from itertools import product

from aiohttp import web

from contracts.api.dags import CreateDag
from contracts.api.experiments import Experiment, Experiments, ExperimentsCompleted
from contracts.core.event import Json
from contracts.domain import dag
from gateway.api.planning.endpoints import REFUSALS, TAG
from gateway.api.planning.requests import outcome, planning_request, request_plan
from gateway.endpoint import Call, endpoint
from gateway.http.errors import refusal_of
from gateway.http.replies import json_reply

PREFIX = "dag_"
"""Of the ids of their DAGs, by which clients know them."""
STILL_PLANNING = "planning goes on; look at the DAG later"


@endpoint(
    "POST",
    "/api/v1/dag-experiments",
    summary="Plan a goal by several models and temperatures",
    tag=TAG,
    body=Experiments,
    responses={200: ExperimentsCompleted},
    errors={status: when for status, when in REFUSALS.items() if status in (400, 404)},
    keyed=True,
)
async def run_experiments(call: Call[Experiments, None]) -> web.StreamResponse:
    """Each combination becomes a DAG as by create-dag, so many at a time as EXPERIMENTS_PARALLEL says."""
    turns = asyncio.Semaphore(call.gateway.settings.experiments_parallel)
    wanted = [await _request(call, *pair) for pair in product(call.body.models, call.body.temperatures)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_experiment(call, turns, n, one)) for n, one in enumerate(wanted)]
    results = [task.result() for task in tasks]
    successes = sum(result.success for result in results)
    return json_reply(
        ExperimentsCompleted(
            status="completed",
            total_experiments=len(results),
            success_count=successes,
            failure_count=len(results) - successes,
            results=results,
        )
    )


ENDPOINTS = (run_experiments,)


async def _request(call: Call[Experiments, None], model: str, temperature: float) -> dag.Requested:
    """What to ask for; nothing is asked for before all of it is known to be possible.

    Raises:
        Refusal: there is no such model or agent to plan with.
    """
    body = call.body
    given = {
        "goal-text": body.goal_text,
        "agentName": body.agent_name,
        "provider": body.provider,
        "model": model,
        "temperature": temperature,
        "seed": body.seed,
    }
    return await planning_request(call.gateway, CreateDag.model_validate(given), None)


async def _experiment(
    call: Call[Experiments, None], turns: asyncio.Semaphore, number: int, wanted: dag.Requested
) -> Experiment:
    async with turns:
        try:
            stream = await request_plan(call, wanted, str(number), prefix=PREFIX)
            came = await outcome(call.gateway, stream, after=0)
        except Exception as error:
            refusal = refusal_of(error, call.request)
            if refusal is None:
                raise
            return _told(wanted, None, refusal.body["error"])
    if came is None:
        return _told(wanted, stream.id, STILL_PLANNING)
    return _told(wanted, stream.id, _failure(came[1]))


def _failure(answer: dict[str, Json]) -> str | None:
    """Why there is no plan, in the answer that create-dag would give; None where there is one."""
    match answer:
        case {"status": "success"}:
            return None
        case {"clarification_query": str(query)}:
            return f"the model asks for a clarification: {query}"
        case {"error": str(error)}:
            return error
    return "no plan came of it"


def _told(wanted: dag.Requested, dag_id: str | None, error: str | None) -> Experiment:
    return Experiment(
        dag_id=dag_id,
        model=wanted.model or "",
        temperature=wanted.temperature,
        success=error is None,
        error=error,
    )
