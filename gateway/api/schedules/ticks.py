"""Ticks of schedules: past decisions and the next ticks."""

from __future__ import annotations

from functools import cache
from typing import Any

from aiohttp import web
from sqlalchemy import Select, bindparam, func, select

from contracts.api.fields import epoch_ms, iso
from contracts.api.schedules import NextQuery, NextTicks, TickList, TickQuery
from contracts.core.scopes import Scope
from contracts.core.timezones import InvalidTimezone
from contracts.domain.schedule.cron import Cron
from contracts.domain.schedule.description import describe
from contracts.domain.schedule.expression import InvalidCron
from contracts.views import dags, goal_schedules, schedule_ticks
from gateway.api.schedules.conditions import DAG_FIRES, DAG_HAS_SCHEDULE, GOAL_FIRES
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply
from gateway.views.paging import Part, link, page_of
from gateway.views.presenting import JsonRow, columns, pagination, pagination_by_cursor
from gateway.views.reader import Row

TAG = "schedules"
MISSING = "Schedule not found"

_is_it = schedule_ticks.c.schedule_id == bindparam("schedule_id")
_COUNT = select(func.count()).select_from(schedule_ticks).where(_is_it)
_OF_GOAL = select(
    goal_schedules.c.cron_expr.label("cron"),
    goal_schedules.c.timezone,
    goal_schedules.c.jitter_s,
    GOAL_FIRES.label("fires"),
).where(goal_schedules.c.id == bindparam("schedule_id"))
_OF_DAG = select(
    dags.c.cron_schedule.label("cron"), dags.c.timezone, dags.c.jitter_s, DAG_FIRES.label("fires")
).where(dags.c.id == bindparam("schedule_id"), DAG_HAS_SCHEDULE)


@endpoint(
    "GET",
    "/api/v1/schedules/{id}/ticks",
    summary="List the decisions about the ticks of a schedule, newest first",
    tag=TAG,
    scope=Scope.READ,
    query=TickQuery,
    responses={200: TickList},
    invalid="Invalid query parameters",
    missing=MISSING,
)
async def list_ticks(call: Call[None, TickQuery]) -> web.StreamResponse:
    """`id` is the id of a goal's schedule, or the id of a DAG, even if the DAG no longer has a schedule."""
    query, schedule_id, views = call.query, call.path["id"], call.gateway.views
    total = await views.value(_COUNT, schedule_id=schedule_id)
    if not total:
        await _known(call)
    part = Part(query.limit, query.offset, query.cursor)
    rows = await views.all(_page(after=bool(query.cursor)), schedule_id=schedule_id, **part.parameters)
    following = part.next(rows, "tick", "schedule_id")
    if part.by_cursor:
        listed = pagination_by_cursor(query.limit, len(rows), following)
    else:
        listed = pagination(query.limit, query.offset, len(rows), total)
    return json_reply(
        {"ticks": [_tick_row(row) for row in rows], "pagination": listed},
        headers=link(call.request.url, following),
    )


@endpoint(
    "GET",
    "/api/v1/schedules/{id}/next",
    summary="List the next ticks of a schedule",
    tag=TAG,
    scope=Scope.READ,
    query=NextQuery,
    responses={200: NextTicks},
    invalid="Invalid query parameters",
    missing=MISSING,
)
async def list_next_ticks(call: Call[None, NextQuery]) -> web.StreamResponse:
    """`id` is the id of a goal's schedule, or the id of a DAG that has a schedule."""
    found = await _known(call)
    return json_reply(
        NextTicks(
            schedule_id=call.path["id"],
            cron_expr=found["cron"],
            description=describe(found["cron"]),
            timezone=found["timezone"],
            active=bool(found["fires"]),
            jitter_seconds=found["jitter_s"] or 0,
            next=_next(call, found),
        )
    )


ENDPOINTS = (list_ticks, list_next_ticks)


@cache
def _page(*, after: bool) -> Select[Any]:
    """Return the statement for a page of ticks."""
    ids = page_of(schedule_ticks.c.tick, schedule_ticks.c.schedule_id, [_is_it], after=after)
    return ids.with_only_columns(*columns(schedule_ticks))


async def _known(call: Call[Any, Any]) -> Row:
    """Return the schedule of a goal or of a DAG."""
    for statement in (_OF_GOAL, _OF_DAG):
        if found := await call.gateway.views.first(statement, schedule_id=call.path["id"]):
            return found
    raise call.missing()


def _next(call: Call[Any, NextQuery], found: Row) -> list[int]:
    """Return the next ticks. A stored expression that never fires has none."""
    tick = call.gateway.clock()
    try:
        cron = Cron.parse(found["cron"], found["timezone"])
    except (InvalidCron, InvalidTimezone):
        return []
    ticks = []
    for _ in range(call.query.count):
        tick = cron.next_after(tick)
        ticks.append(epoch_ms(tick))
    return ticks


def _tick_row(row: Row) -> JsonRow:
    """Present the decision about a tick."""
    return {
        "scheduleId": row["schedule_id"],
        "tick": iso(row["tick"]),
        "decision": row["decision"],
        "reason": row["reason"],
        "goalId": row["goal_id"],
        "dagId": row["dag_id"],
        "runId": row["run_id"],
        "createdAt": iso(row["created_at"]),
    }
