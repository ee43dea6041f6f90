"""Agents: named, versioned system prompts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

from aiohttp import web
from sqlalchemy import select

from contracts.api.agents import AgentCreate, AgentPatch, AgentQuery, AgentRow
from contracts.api.fields import epoch_ms, iso
from contracts.core.event import Event
from contracts.core.ids import derived_id
from contracts.core.scopes import Scope
from contracts.domain import agent
from contracts.domain.agent import AGENT, AgentExists, AgentVersion, Directory
from contracts.runtime.stream import Stream, transact
from contracts.views import agents
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply, no_content
from gateway.views.presenting import JsonRow, columns, json_of
from gateway.views.reader import Row, ViewsUnavailable

TAG = "agents"
MISSING = "Agent not found"
EXISTS = "An agent with that name and version exists."

_AGENTS = select(*columns(agents))


@endpoint(
    "POST",
    "/api/v1/agents",
    summary="Create a version of an agent",
    tag=TAG,
    scope=Scope.ADMIN,
    body=AgentCreate,
    responses={201: AgentRow},
    errors={409: EXISTS},
    keyed=True,
)
async def create_agent(call: Call[AgentCreate, None]) -> web.StreamResponse:
    """A new version is inactive. The combination of name and version must be unique."""
    try:
        stream = await _created(call)
    except AgentExists:
        if (made := await _made_before(call)) is None:
            raise
        stream = made
    return await _reply(call, stream, status=201)


@endpoint(
    "GET",
    "/api/v1/agents",
    summary="List agents, newest first",
    tag=TAG,
    scope=Scope.READ,
    query=AgentQuery,
    responses={200: list[AgentRow]},
)
async def list_agents(call: Call[None, AgentQuery]) -> web.StreamResponse:
    """`?name=` lists the versions of one agent."""
    statement = _AGENTS.order_by(agents.c.created_at.desc(), agents.c.id.desc())
    if call.query.name is not None:
        statement = statement.where(agents.c.name == call.query.name)
    if call.query.active is not None:
        statement = statement.where(agents.c.active == call.query.active)
    return json_reply([_agent_row(row) for row in await call.gateway.views.all(statement)])


@endpoint(
    "GET",
    "/api/v1/agents/resolve/{name}",
    summary="Get the active version of an agent by name",
    tag=TAG,
    scope=Scope.READ,
    responses={200: AgentRow},
    missing="No active agent found with name: {name}",
)
async def resolve_agent(call: Call[None, None]) -> web.StreamResponse:
    """Plans and steps that name the agent use its active version."""
    active = _AGENTS.where(agents.c.name == call.path["name"], agents.c.active)
    row = await call.gateway.views.first(active)
    if row is None:
        raise call.missing()
    return json_reply(_agent_row(row))


@endpoint(
    "GET",
    "/api/v1/agents/{id}",
    summary="Get one version of an agent",
    tag=TAG,
    scope=Scope.READ,
    responses={200: AgentRow},
    missing=MISSING,
)
async def get_agent(call: Call[None, None]) -> web.StreamResponse:
    """Gets active and inactive versions."""
    row = await call.gateway.views.first(_AGENTS.where(agents.c.id == call.path["id"]))
    if row is None:
        raise call.missing()
    return json_reply(_agent_row(row))


@endpoint(
    "PATCH",
    "/api/v1/agents/{id}",
    summary="Change a version of an agent",
    tag=TAG,
    scope=Scope.ADMIN,
    body=AgentPatch,
    responses={200: AgentRow},
    missing=MISSING,
    errors={409: f"{EXISTS} Or this version is active, and the new name already has an active version."},
)
async def update_agent(call: Call[AgentPatch, None]) -> web.StreamResponse:
    """Omitted keys stay unchanged. This does not activate a version: use `activate`."""
    given = call.body.model_dump(exclude_none=True)
    if "version" in given:
        given["version_name"] = given.pop("version")
    changes = agent.Updated(**given)
    async with call.gateway.agents_lock:
        directory = await call.gateway.agents_current()
        entry = _known(call, directory)
        name, version = changes.name or entry.state.name, changes.version_name or entry.state.version_name
        _require_free(directory, name, version, but_for=entry.id)
        directory.require_nameable(entry.id, name)
        stream = await _decide(call, partial(agent.update, changes=changes))
    return await _reply(call, stream)


@endpoint(
    "POST",
    "/api/v1/agents/{id}/activate",
    summary="Activate a version of an agent",
    tag=TAG,
    scope=Scope.ADMIN,
    responses={200: AgentRow},
    missing=MISSING,
)
async def activate_agent(call: Call[None, None]) -> web.StreamResponse:
    """The previously active version becomes inactive at the same time."""
    async with call.gateway.agents_lock:
        stream = await _decide(call, agent.activate)
    return await _reply(call, stream)


@endpoint(
    "DELETE",
    "/api/v1/agents/{id}",
    summary="Delete an inactive version of an agent",
    tag=TAG,
    scope=Scope.ADMIN,
    responses={204: None},
    missing=MISSING,
    errors={400: "The version is active."},
)
async def delete_agent(call: Call[None, None]) -> web.StreamResponse:
    """An active version cannot be deleted. Activate another version first."""
    async with call.gateway.agents_lock:
        directory = await call.gateway.agents_current()
        active = directory.is_active(_known(call, directory).id)
        stream = await _decide(call, partial(agent.delete, active=active))
    await call.gateway.projected(stream.seq)
    return no_content()


ENDPOINTS = (
    create_agent,
    list_agents,
    resolve_agent,
    get_agent,
    update_agent,
    activate_agent,
    delete_agent,
)


async def _created(call: Call[AgentCreate, None]) -> Stream[agent.State]:
    body = call.body
    wanted = agent.Created(
        name=body.name,
        version_name=body.version,
        prompt_template=body.prompt_template,
        provider=body.provider,
        model=body.model,
        metadata=body.metadata,
    )
    async with call.gateway.agents_lock:
        directory = await call.gateway.agents_current()
        _require_free(directory, body.name, body.version)
        agent_id = _free_id(directory, body.name, body.version)
        create = partial(agent.create, wanted=wanted)
        return await transact(call.gateway.log, AGENT, agent_id, create, call.origin)


async def _made_before(call: Call[AgentCreate, None]) -> Stream[agent.State] | None:
    """Return the version if an earlier attempt of the same request created it."""
    holder = (await call.gateway.agents_current()).find(call.body.name, call.body.version)
    if call.key is None or holder is None:
        return None
    commits = await call.gateway.log.read(AGENT.name, holder.id)
    if not any(one.commit.causation_id == call.key.cause for one in commits):
        return None
    return await Stream.open(call.gateway.log, AGENT, holder.id, call.origin)


def _known(call: Call[Any, Any], directory: Directory) -> AgentVersion:
    entry = directory.get(call.path["id"])
    if entry is None:
        raise call.missing()
    return entry


def _require_free(directory: Directory, name: str, version: str, but_for: str | None = None) -> None:
    holder = directory.find(name, version)
    if holder is not None and holder.id != but_for:
        raise AgentExists


def _free_id(directory: Directory, name: str, version: str) -> str:
    """Return the id for this name and version, or the next free one if a renamed version has it."""
    agent_id = agent.agent_id(name, version)
    for number in count(2):
        if directory.get(agent_id) is None:
            break
        agent_id = derived_id("agent_", name, version, str(number))
    return agent_id


async def _decide(
    call: Call[Any, Any], decide: Callable[[agent.State], Sequence[Event]]
) -> Stream[agent.State]:
    return await transact(call.gateway.log, AGENT, call.path["id"], decide, call.origin)


async def _reply(call: Call[Any, Any], stream: Stream[agent.State], status: int = 200) -> web.StreamResponse:
    """Answer with the row of the views, or with the row from the log if the views lag behind."""
    row = None
    if await call.gateway.projected(stream.seq):
        with contextlib.suppress(ViewsUnavailable):
            row = await call.gateway.views.first(_AGENTS.where(agents.c.id == stream.id))
    if row is not None:
        return json_reply(_agent_row(row), status)
    return json_reply(await _current_row(call, stream), status)


def _agent_row(row: Row) -> JsonRow:
    return {
        "id": row["id"],
        "name": row["name"],
        "version": row["version"],
        "promptTemplate": row["prompt_template"],
        "provider": row["provider"],
        "model": row["model"],
        "active": row["active"],
        "metadata": json_of(row["metadata"] or "{}"),
        "createdAt": iso(row["created_at"]),
        "updatedAt": iso(row["updated_at"]),
    }


async def _current_row(call: Call[Any, Any], stream: Stream[agent.State]) -> AgentRow:
    state, directory = stream.state, await call.gateway.agents_current()
    entry = directory.get(stream.id)
    now = call.gateway.clock()
    created_at = entry.created_at if entry else now
    return AgentRow(
        id=stream.id,
        name=state.name,
        version=state.version_name,
        prompt_template=state.prompt_template,
        provider=state.provider,
        model=state.model,
        active=directory.is_active(stream.id),
        metadata=state.metadata or {},
        created_at=epoch_ms(created_at),
        updated_at=epoch_ms(now),
    )
