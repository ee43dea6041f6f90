"""Schedules of goals, and what became of the ticks of any schedule."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web
from sqlalchemy import bindparam, func, select

from contracts import goal
from contracts.api.fields import epoch_ms
from contracts.api.schedules import (
    NextQuery,
    NextTicks,
    ScheduleCreate,
    SchedulePatch,
    ScheduleRow,
    TickList,
    TickQuery,
)
from contracts.cron import Cron, InvalidCron, InvalidTimezone, describe
from contracts.event import Event
from contracts.views import dags, goal_schedules, schedule_ticks
from gateway import goal_views
from gateway.endpoint import Call, endpoint, json_reply, no_content
from gateway.goal_rows import TICK_COLUMNS, tick_row
from gateway.goals import decided
from gateway.presenters import Row, pagination
from gateway.schedules import DAG_FIRES, DAG_HAS_SCHEDULE, GOAL_FIRES, goal_schedule

TAG = "schedules"
MISSING = "Schedule not found"
MISSING_GOAL = "Goal not found"
UNUSABLE = {400: "The body, the expression or the time zone cannot be used."}

_is_it = schedule_ticks.c.schedule_id == bindparam("schedule_id")
_COUNT = select(func.count()).select_from(schedule_ticks).where(_is_it)
_TICKS = (
    select(*TICK_COLUMNS)
    .where(_is_it)
    .order_by(schedule_ticks.c.tick.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
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
    "/api/v1/goals/{id}/schedules",
    summary="List the schedules of a goal, oldest first",
    tag=TAG,
    responses={200: list[ScheduleRow]},
    missing=MISSING_GOAL,
)
async def list_schedules(call: Call[None, None]) -> web.StreamResponse:
    """Active or not."""
    shown = await goal_views.one(call.gateway, call.path["id"])
    if shown is None:
        raise call.missing()
    return json_reply(shown["schedules"])


@endpoint(
    "POST",
    "/api/v1/goals/{id}/schedules",
    summary="Give a goal one more schedule",
    tag=TAG,
    body=ScheduleCreate,
    responses={201: ScheduleRow},
    missing=MISSING_GOAL,
    errors=UNUSABLE,
    keyed=True,
)
async def add_schedule(call: Call[ScheduleCreate, None]) -> web.StreamResponse:
    """It fires as soon as the goal is active."""
    schedule_id = call.new_id("sched_", "schedule")
    wanted = goal_schedule(call.body)
    stream = await decided(call, partial(goal.add_schedule, schedule_id=schedule_id, schedule=wanted))
    return json_reply(await goal_views.logged_schedule(call.gateway, stream, schedule_id), 201)


@endpoint(
    "PATCH",
    "/api/v1/goals/{id}/schedules/{schedule_id}",
    summary="Change a schedule of a goal",
    tag=TAG,
    body=SchedulePatch,
    responses={200: ScheduleRow},
    missing=MISSING,
    errors=UNUSABLE,
)
async def update_schedule(call: Call[SchedulePatch, None]) -> web.StreamResponse:
    """Keys that are left out stay. With another expression or time zone only later ticks are its ticks."""
    schedule_id = call.path["schedule_id"]

    def decide(state: goal.State) -> list[Event]:
        goal.require_schedule(state, schedule_id)
        wanted = goal_schedule(call.body, state.schedules[schedule_id])
        return goal.change_schedule(state, schedule_id, wanted)

    stream = await decided(call, decide)
    return json_reply(await goal_views.logged_schedule(call.gateway, stream, schedule_id))


@endpoint(
    "DELETE",
    "/api/v1/goals/{id}/schedules/{schedule_id}",
    summary="Take a schedule away from a goal",
    tag=TAG,
    responses={204: None},
    missing=MISSING,
)
async def remove_schedule(call: Call[None, None]) -> web.StreamResponse:
    """The records of its ticks go with it; runs that it has asked for stay."""
    await decided(call, partial(goal.remove_schedule, schedule_id=call.path["schedule_id"]))
    return no_content()


@endpoint(
    "GET",
    "/api/v1/schedules/{id}/ticks",
    summary="What was decided about the ticks of a schedule, newest first",
    tag=TAG,
    query=TickQuery,
    responses={200: TickList},
    invalid="Invalid query parameters",
    missing=MISSING,
)
async def list_ticks(call: Call[None, TickQuery]) -> web.StreamResponse:
    """Of a goal's schedule by its id, of a DAG's by the id of the DAG."""
    query, schedule_id, views = call.query, call.path["id"], call.gateway.views
    await _known(call)
    total = await views.value(_COUNT, schedule_id=schedule_id)
    rows = await views.all(_TICKS, schedule_id=schedule_id, limit=query.limit, offset=query.offset)
    part = pagination(query.limit, query.offset, len(rows), total)
    return json_reply({"ticks": [tick_row(row) for row in rows], "pagination": part})


@endpoint(
    "GET",
    "/api/v1/schedules/{id}/next",
    summary="When a schedule comes next",
    tag=TAG,
    query=NextQuery,
    responses={200: NextTicks},
    invalid="Invalid query parameters",
    missing=MISSING,
)
async def list_next_ticks(call: Call[None, NextQuery]) -> web.StreamResponse:
    """Of a goal's schedule by its id, of a DAG's by the id of the DAG."""
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


ENDPOINTS = (list_schedules, add_schedule, update_schedule, remove_schedule, list_ticks, list_next_ticks)


async def _known(call: Call[Any, Any]) -> Row:
    """The schedule of a goal, or of a DAG."""
    for statement in (_OF_GOAL, _OF_DAG):
        if found := await call.gateway.views.first(statement, schedule_id=call.path["id"]):
            return found
    raise call.missing()


def _next(call: Call[Any, NextQuery], found: Row) -> list[int]:
    """The next ticks; none of an expression that came into the log by another way and names none."""
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
