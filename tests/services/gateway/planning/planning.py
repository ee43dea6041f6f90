"""Asking for a plan, and the commits that stand for the planner."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from contracts.core.event import Event, Usage
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from tests import jobs

if TYPE_CHECKING:
    from tests.services.conftest import Api

GOAL = {"goal-text": "do it", "agentName": "Planner"}
USAGE = Usage(prompt_tokens=11, completion_tokens=7)
ATTEMPT = dag.AttemptMade(attempt=1, reason="initial", usage=USAGE, generation_stats={"id": "g"})
TITLE = dag.AttemptMade(attempt=1, reason="title_master", usage=Usage(prompt_tokens=1))
SHOWN_USAGE = {"promptTokens": 11, "completionTokens": 7, "totalTokens": 18}


def job(coverage: str = "high", **changes: Any) -> Job:
    return jobs.job(validation={"coverage": coverage}, **changes)


ASKING = job(clarification_needed=True, clarification_query="which?")


async def next_request(api: Api, after: int = 0) -> tuple[str, dag.State]:
    """The next DAG that waits for a planner."""
    async with aclosing(api.log.tail("evt.dag.*.requested", after=after)) as batches:
        async for batch in batches:
            dag_id = batch[-1].commit.aggregate_id
            recorded = await api.log.read("dag", dag_id)
            return dag_id, DAG.fold([event for one in recorded for event in one.commit.events])
    raise AssertionError("the tail has ended")


async def plan(
    api: Api, path: str, *ends: Sequence[Event], body: Any = None, **options: Any
) -> tuple[Any, str]:
    """Ask for a plan, let a planner make these commits, and give the answer and the DAG's id."""
    after = await api.log.last_seq()
    asking = asyncio.create_task(api.post(path, GOAL if body is None else body, **options))
    dag_id, _ = await next_request(api, after)
    for events in ends:
        assert not asking.done()
        await api.write(DAG, dag_id, *events)
    return await asking, dag_id
