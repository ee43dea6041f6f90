"""Experiments: one goal planned by every given model at every given temperature."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import product

from aiohttp import web

from contracts.api.dags import CreateDag
from contracts.api.experiments import Experiment, Experiments, ExperimentsCompleted
from contracts.core.event import Json
from contracts.core.scopes import Scope
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.runtime.stream import Stream
from gateway.api.planning.endpoints import TAG
from gateway.api.planning.requests import outcome, planning_request
from gateway.endpoint import Call, endpoint
from gateway.http.errors import refusal_of
from gateway.http.replies import json_reply

PREFIX = "dag_"
"""Prefix of the ids of DAGs that experiments create. Clients rely on it."""
STILL_PLANNING = "planning continues; get the DAG later"


@endpoint(
    "POST",
    "/api/v1/dag-experiments",
    summary="Plan a goal with several models and temperatures",
    tag=TAG,
    scope=Scope.RUN,
    body=Experiments,
    responses={200: ExperimentsCompleted},
    keyed=True,
)
async def run_experiments(call: Call[Experiments, None]) -> web.StreamResponse:
    """Each combination creates a DAG, as create-dag does. EXPERIMENTS_PARALLEL plans are made at a time."""
    turns = asyncio.Semaphore(call.gateway.settings.experiments_parallel)
    pairs = enumerate(product(call.body.models, call.body.temperatures))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_experiment(call, turns, number, *pair)) for number, pair in pairs]
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


async def _experiment(
    call: Call[Experiments, None], turns: asyncio.Semaphore, number: int, model: str, temperature: float
) -> Experiment:
    """Run one combination and return its result. An error does not affect the other combinations."""
    told = partial(_result, model, temperature)
    async with turns:
        try:
            stream = await _requested(call, number, model, temperature)
            came = await outcome(call.gateway, stream, after=0)
        except Exception as error:
            refusal = refusal_of(error, call.request)
            if refusal is None:
                raise
            return told(None, _text(refusal.body))
    return told(stream.id, STILL_PLANNING if came is None else _failure(came[1]))


async def _requested(
    call: Call[Experiments, None], number: int, model: str, temperature: float
) -> Stream[dag.State]:
    """Request the DAG of one combination.

    Raises:
        Refusal: the model or the agent does not exist.
    """
    dag_id = call.new_id(PREFIX, "dag", str(number))
    if made := await call.made_before(DAG, dag_id):
        return made
    body = call.body
    given = {
        "goal-text": body.goal_text,
        "agentName": body.agent_name,
        "provider": body.provider,
        "model": model,
        "temperature": temperature,
        "seed": body.seed,
    }
    wanted = await planning_request(call.gateway, CreateDag.model_validate(given), None)
    return await call.create(DAG, dag_id, partial(dag.request, wanted=wanted))


def _text(refused: dict[str, Json]) -> str:
    """Return the error and its details as one text."""
    details = refused.get("details")
    return f"{refused['error']}: {details}" if details else str(refused["error"])


def _failure(answer: dict[str, Json]) -> str | None:
    """Return why planning failed, from an answer of create-dag; None if it succeeded."""
    match answer:
        case {"status": "success"}:
            return None
        case {"clarification_query": str(query)}:
            return f"the model asks for a clarification: {query}"
        case {"error": str(error)}:
            return error
    return "planning produced no plan"


def _result(model: str, temperature: float, dag_id: str | None, error: str | None) -> Experiment:
    return Experiment(dag_id=dag_id, model=model, temperature=temperature, success=error is None, error=error)
