"""Requests for plans, and waiting for their results."""

from __future__ import annotations

import asyncio
import contextlib

from contracts.api.dags import CreateDag
from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.model import NoModel, resolve_model
from contracts.domain.run import RUN
from contracts.domain.schedule.schedule import Schedule
from contracts.runtime.log import Unavailable
from contracts.runtime.stream import Stream
from gateway.api.planning.answers import StatusAndBody, answer
from gateway.api.tool_names import require_tools
from gateway.api.unknown_agents import no_such_agent
from gateway.gateway import Gateway
from gateway.http.errors import Refusal

OUTCOMES = frozenset({dag.Status.PLANNED, dag.Status.CLARIFICATION, dag.Status.REJECTED, dag.Status.DELETED})
RUN_WAIT_S = 5.0
"""Seconds that an answer waits until the run that it names is visible."""


async def planning_request(gateway: Gateway, body: CreateDag, schedule: Schedule | None) -> dag.Requested:
    """Return the planning request for `body`.

    Raises:
        Refusal: the model, the agent or a tool does not exist.
    """
    require_tools(gateway, {("approvals",): body.approvals})
    agents = await gateway.agents_current()
    entry = agents.active(body.agent_name)
    if body.provider and body.model:
        if problem := gateway.llm_problem(body.provider, body.model):
            raise Refusal(400, "Invalid LLM provider configuration", details=problem)
    else:
        asked = resolve_model(entry.state if entry else None, gateway.llm_problem)
        if isinstance(asked, NoModel):
            raise Refusal(503, asked.reason)
    if entry is None:
        missing = f"Agent '{body.agent_name}' not found OR not active"
        raise no_such_agent(404, missing, body.agent_name, agents)
    return dag.Requested(
        goal_text=body.goal_text,
        agent_name=body.agent_name,
        provider=body.provider,
        model=body.model,
        max_tokens=body.max_tokens,
        temperature=body.temperature,
        seed=body.seed,
        schedule=schedule,
        outward_calls=body.outward_calls,
        budget=body.budget,
        approvals=tuple(body.approvals or ()),
    )


async def outcome(gateway: Gateway, stream: Stream[dag.State], *, after: int) -> StatusAndBody | None:
    """Wait for the result of planning in a commit above `after`; None after PLANNING_WAIT_S seconds."""
    try:
        async with asyncio.timeout(gateway.settings.planning_wait_s):
            ended = await gateway.hub.wait_for(DAG.name, stream.id, OUTCOMES, after=after)
    except (TimeoutError, Unavailable):
        return None
    await stream.refresh()
    await gateway.projected(ended.seq)
    status, body = answer(stream.id, stream.state, ended.commit.events[-1])
    if "executionId" in body:
        await _wait_for_run(gateway, body["executionId"])
    return status, body


async def _wait_for_run(gateway: Gateway, run_id: str) -> None:
    """Wait until the planner has requested the run, so that the client finds it."""
    with contextlib.suppress(TimeoutError, Unavailable):
        async with asyncio.timeout(RUN_WAIT_S):
            requested = await gateway.hub.wait_for(RUN.name, run_id, frozenset(run.Status))
            await gateway.projected(requested.seq)
