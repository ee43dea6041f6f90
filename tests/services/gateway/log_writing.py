"""Commits that tests of the event stream write."""

from __future__ import annotations

from typing import Any

from contracts.core.event import Event
from contracts.domain import agent, dag
from contracts.domain.agent import AGENT
from contracts.domain.dag import DAG
from contracts.runtime.log import Log
from contracts.runtime.stream import Origin, Stream

REQUESTED = dag.Requested(goal_text="g", agent_name="A")
ATTEMPT = dag.AttemptMade(attempt=1, reason="initial")
REJECTED = dag.Rejected(http_status=500, error="no")
CREATED = agent.Created(name="A", version_name="1", prompt_template="p")


async def write(log: Log, aggregate: Any, aggregate_id: str, *events: Event) -> int:
    """One commit, without waiting for the views."""
    stream = await Stream.open(log, aggregate, aggregate_id, Origin("/test/1"))
    return await stream.append(events)


async def write_all(log: Log) -> None:
    """Commits 1 to 4: two DAGs and an agent."""
    await write(log, DAG, "d1", REQUESTED)
    await write(log, AGENT, "a1", CREATED)
    await write(log, DAG, "d2", REQUESTED)
    await write(log, DAG, "d1", ATTEMPT, REJECTED)
