"""Memories: what the runs of a goal store for later runs."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import bindparam, select

from contracts.api.fields import iso
from contracts.api.goals import MemoryQuery, MemoryRow
from contracts.views import goals, memories
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply
from gateway.views.presenting import JsonRow, columns
from gateway.views.reader import Row

_IS_THERE = select(goals.c.id).where(goals.c.id == bindparam("goal_id"))
_MEMORIES = (
    select(*columns(memories))
    .where(memories.c.goal_id == bindparam("goal_id"))
    .order_by(memories.c.created_at.desc(), memories.c.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)


@endpoint(
    "GET",
    "/api/v1/goals/{id}/memories",
    summary="List the memories of a goal, newest first",
    tag="goals",
    query=MemoryQuery,
    responses={200: list[MemoryRow]},
    invalid="Invalid query parameters",
    missing="Goal not found",
)
async def list_memories(call: Call[None, MemoryQuery]) -> web.StreamResponse:
    """Memories are notes about what a run did, facts to remember, and paths of files."""
    goal_id, query, views = call.path["id"], call.query, call.gateway.views
    if await views.value(_IS_THERE, goal_id=goal_id) is None:
        raise call.missing()
    rows = await views.all(_MEMORIES, goal_id=goal_id, limit=query.limit, offset=query.offset)
    return json_reply([_shown(row) for row in rows])


ENDPOINTS = (list_memories,)


def _shown(row: Row) -> JsonRow:
    """Present a memory."""
    return {
        "id": row["id"],
        "goalId": row["goal_id"],
        "type": row["type"],
        "content": row["content"],
        "metadata": {"runId": row["run_id"]},
        "createdAt": iso(row["created_at"]),
    }
