"""Schedules of goals, and the ticks of all schedules."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from contracts.api.schedules import ScheduleCreate, SchedulePatch, ScheduleRow
from contracts.core.event import Event
from contracts.core.scopes import Scope
from contracts.domain import goal
from gateway.api.goals import queries
from gateway.api.goals.deciding import decided
from gateway.api.schedules.parsing import goal_schedule
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply, no_content

TAG = "schedules"
MISSING = "Schedule not found"
MISSING_GOAL = "Goal not found"
UNUSABLE = {400: "The body, the cron expression or the time zone is invalid."}


@endpoint(
    "GET",
    "/api/v1/goals/{id}/schedules",
    summary="List the schedules of a goal, oldest first",
    tag=TAG,
    scope=Scope.READ,
    responses={200: list[ScheduleRow]},
    missing=MISSING_GOAL,
)
async def list_schedules(call: Call[None, None]) -> web.StreamResponse:
    """Includes inactive schedules."""
    shown = await queries.one(call.gateway, call.path["id"])
    if shown is None:
        raise call.missing()
    return json_reply(shown["schedules"])


@endpoint(
    "POST",
    "/api/v1/goals/{id}/schedules",
    summary="Add a schedule to a goal",
    tag=TAG,
    scope=Scope.RUN,
    body=ScheduleCreate,
    responses={201: ScheduleRow},
    missing=MISSING_GOAL,
    errors=UNUSABLE,
    keyed=True,
)
async def add_schedule(call: Call[ScheduleCreate, None]) -> web.StreamResponse:
    """The schedule fires while the goal is active."""
    schedule_id = call.new_id("sched_", "schedule")
    wanted = goal_schedule(call.body)
    stream = await decided(call, partial(goal.add_schedule, schedule_id=schedule_id, schedule=wanted))
    return json_reply(await queries.logged_schedule(call.gateway, stream, schedule_id), 201)


@endpoint(
    "PATCH",
    "/api/v1/goals/{id}/schedules/{schedule_id}",
    summary="Change a schedule of a goal",
    tag=TAG,
    scope=Scope.RUN,
    body=SchedulePatch,
    responses={200: ScheduleRow},
    missing=MISSING,
    errors=UNUSABLE,
)
async def update_schedule(call: Call[SchedulePatch, None]) -> web.StreamResponse:
    """Omitted keys stay unchanged. A new expression or time zone applies to later ticks only."""
    schedule_id = call.path["schedule_id"]

    def decide(state: goal.State) -> list[Event]:
        goal.require_schedule(state, schedule_id)
        wanted = goal_schedule(call.body, state.schedules[schedule_id])
        return goal.change_schedule(state, schedule_id, wanted)

    stream = await decided(call, decide)
    return json_reply(await queries.logged_schedule(call.gateway, stream, schedule_id))


@endpoint(
    "DELETE",
    "/api/v1/goals/{id}/schedules/{schedule_id}",
    summary="Remove a schedule from a goal",
    tag=TAG,
    scope=Scope.RUN,
    responses={204: None},
    missing=MISSING,
)
async def remove_schedule(call: Call[None, None]) -> web.StreamResponse:
    """Deletes the records of its ticks. Runs that it requested are kept."""
    await decided(call, partial(goal.remove_schedule, schedule_id=call.path["schedule_id"]))
    return no_content()


ENDPOINTS = (list_schedules, add_schedule, update_schedule, remove_schedule)
