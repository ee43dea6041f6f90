"""Memories: what the runs of a goal store for later runs."""

from __future__ import annotations

from functools import cache
from typing import Any

from aiohttp import web
from sqlalchemy import Select, bindparam, select

from contracts.api.fields import iso
from contracts.api.goals import MemoryQuery, MemoryRow
from contracts.core.scopes import Scope
from contracts.views import goals, memories
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply
from gateway.views.paging import Part, link, page_of
from gateway.views.presenting import JsonRow, columns
from gateway.views.reader import Row

_IS_THERE = select(goals.c.id).where(goals.c.id == bindparam("goal_id"))


@endpoint(
    "GET",
    "/api/v1/goals/{id}/memories",
    summary="List the memories of a goal, newest first",
    tag="goals",
    scope=Scope.READ,
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
    part = Part(query.limit, query.offset, query.cursor)
    rows = await views.all(_page(after=bool(query.cursor)), goal_id=goal_id, **part.parameters)
    return json_reply([_memory_row(row) for row in rows], headers=link(call.request.url, part.next(rows)))


ENDPOINTS = (list_memories,)


@cache
def _page(*, after: bool) -> Select[Any]:
    """Return the statement for a page of memories."""
    of_goal = memories.c.goal_id == bindparam("goal_id")
    ids = page_of(memories.c.created_at, memories.c.id, [of_goal], after=after)
    return ids.with_only_columns(*columns(memories))


def _memory_row(row: Row) -> JsonRow:
    """Present a memory."""
    return {
        "id": row["id"],
        "goalId": row["goal_id"],
        "type": row["type"],
        "content": row["content"],
        "metadata": {"runId": row["run_id"]},
        "createdAt": iso(row["created_at"]),
    }
