"""Goals: objectives with an agent, params and schedules."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from aiohttp import web

from contracts.api.goals import (
    GoalChanged,
    GoalCreate,
    GoalDetail,
    GoalParams,
    GoalPatch,
    GoalQuery,
    GoalRow,
    ListedGoal,
    RunGoalQuery,
    RunTriggered,
)
from contracts.api.limits import OwnLimits
from contracts.core.event import Event
from contracts.core.scopes import Scope
from contracts.domain import goal, run
from contracts.domain.agent import DEFAULT_AGENT
from contracts.domain.goal import GOAL
from contracts.runtime.stream import Stream, transact
from gateway.api.goals import queries, running
from gateway.api.goals.deciding import decided
from gateway.api.runs.queries import open_runs
from gateway.api.schedules.parsing import goal_schedule
from gateway.api.tool_names import require_tools
from gateway.api.unknown_agents import no_such_agent
from gateway.endpoint import Call, endpoint
from gateway.http.errors import INVALID_BODY, Refusal
from gateway.http.replies import json_reply, no_content
from gateway.views.paging import link

TAG = "goals"
MISSING = "Goal not found"


@endpoint(
    "POST",
    "/api/v1/goals",
    summary="Create a goal",
    tag=TAG,
    scope=Scope.RUN,
    body=GoalCreate,
    responses={201: GoalRow},
    errors={400: "The body, the agent or the schedule is invalid."},
    keyed=True,
)
async def create_goal(call: Call[GoalCreate, None]) -> web.StreamResponse:
    """A new goal is active. Without a schedule, it runs only when requested."""
    goal_id = call.new_id("goal_", "goal")
    stream = await call.made_before(GOAL, goal_id) or await _created(call, goal_id)
    await call.gateway.projected(stream.seq)
    return json_reply(queries.logged(stream), 201)


@endpoint(
    "GET",
    "/api/v1/goals",
    summary="List goals, newest first",
    tag=TAG,
    scope=Scope.READ,
    query=GoalQuery,
    responses={200: list[ListedGoal]},
    invalid="Invalid query parameters",
)
async def list_goals(call: Call[None, GoalQuery]) -> web.StreamResponse:
    """Includes the schedules and the agent of each goal. Without `limit`, it lists all goals."""
    shown, cursor = await queries.listed(call.gateway, call.query)
    return json_reply(shown, headers=link(call.request.url, cursor))


@endpoint(
    "GET",
    "/api/v1/goals/{id}",
    summary="Get a goal",
    tag=TAG,
    scope=Scope.READ,
    responses={200: GoalDetail},
    missing=MISSING,
)
async def get_goal(call: Call[None, None]) -> web.StreamResponse:
    """Includes its schedules."""
    shown = await queries.one(call.gateway, call.path["id"])
    if shown is None:
        raise call.missing()
    return json_reply(shown)


@endpoint(
    "PATCH",
    "/api/v1/goals/{id}",
    summary="Change a goal",
    tag=TAG,
    scope=Scope.RUN,
    body=GoalPatch,
    responses={200: GoalRow},
    missing=MISSING,
)
async def update_goal(call: Call[GoalPatch, None]) -> web.StreamResponse:
    """Omitted keys stay unchanged. Runs in progress are not affected."""
    body = call.body
    _require_short(call, body.objective)
    _require_tools(call, body.params)
    changes = goal.Updated(
        objective=body.objective,
        params=None if body.params is None else _params(body.params),
        webhook_url=(body.webhook_url or "") if "webhook_url" in body.model_fields_set else None,
        webhook_events=None if body.webhook_events is None else tuple(body.webhook_events),
    )

    def decide(state: goal.State) -> list[Event]:
        updated = goal.update(state, changes)
        return updated + (goal.set_status(state, goal.Status(body.status)) if body.status else [])

    stream = await decided(call, decide)
    return json_reply(queries.logged(stream))


@endpoint(
    "DELETE",
    "/api/v1/goals/{id}",
    summary="Delete a goal and everything that belongs to it",
    tag=TAG,
    scope=Scope.RUN,
    responses={204: None},
    missing=MISSING,
)
async def delete_goal(call: Call[None, None]) -> web.StreamResponse:
    """Runs in progress are cancelled first."""
    gateway, goal_id = call.gateway, call.path["id"]
    await transact(gateway.log, GOAL, goal_id, goal.archive, call.origin)  # so that no more runs begin
    if not await gateway.projected(await gateway.log.last_seq()):
        raise Refusal(503, "The goal is archived, but not all its runs are visible yet: delete it again")
    for run_id in await open_runs(gateway, goal_id):
        with suppress(run.AlreadyFinished, run.UnknownRun):
            await running.cancel(gateway, run_id, "the goal was deleted", call.origin)
    await decided(call, goal.delete)
    return no_content()


@endpoint(
    "POST",
    "/api/v1/goals/{goal}/run",
    summary="Run a goal now",
    tag=TAG,
    scope=Scope.RUN,
    query=RunGoalQuery,
    body=OwnLimits,
    responses={200: RunTriggered},
    errors={
        400: "The body is invalid, the goal is not active, or the maximum number of runs is in progress."
    },
    keyed=True,
)
async def run_goal(call: Call[OwnLimits, RunGoalQuery]) -> web.StreamResponse:
    """Does not wait for the run to end. If `MAX_CONCURRENT_RUNS` runs are in progress, `whenBusy` decides."""
    return json_reply(await running.trigger(call, call.path["goal"]))


@endpoint(
    "POST",
    "/api/v1/goals/{id}/pause",
    summary="Pause a goal",
    tag=TAG,
    scope=Scope.RUN,
    responses={200: GoalChanged},
    missing=MISSING,
)
async def pause_goal(call: Call[None, None]) -> web.StreamResponse:
    """Its schedules stop firing. Runs in progress continue."""
    stream = await decided(call, goal.pause)
    return json_reply({**queries.logged(stream), "message": "Goal paused"})


@endpoint(
    "POST",
    "/api/v1/goals/{id}/resume",
    summary="Resume a goal",
    tag=TAG,
    scope=Scope.RUN,
    responses={200: GoalChanged},
    missing=MISSING,
)
async def resume_goal(call: Call[None, None]) -> web.StreamResponse:
    """Its schedules fire again, except for paused schedules."""
    stream = await decided(call, goal.resume)
    return json_reply({**queries.logged(stream), "message": "Goal resumed"})


ENDPOINTS = (
    create_goal,
    list_goals,
    get_goal,
    update_goal,
    delete_goal,
    run_goal,
    pause_goal,
    resume_goal,
)


async def _created(call: Call[GoalCreate, None], goal_id: str) -> Stream[goal.State]:
    body = call.body
    _require_short(call, body.objective)
    _require_tools(call, body.params)
    schedules = {call.new_id("sched_", "schedule"): goal_schedule(body.schedule)} if body.schedule else {}
    wanted = goal.Created(
        objective=body.objective,
        params=_params(body.params),
        webhook_url=body.webhook_url,
        webhook_events=tuple(body.webhook_events or ("ended",)),
        agent_id=await _agent_id(call),
    )
    create = partial(goal.create, wanted=wanted, schedules=schedules)
    return await call.create(GOAL, goal_id, create)


async def _agent_id(call: Call[GoalCreate, None]) -> str | None:
    """Return the version of the agent that runs the goal. Activating another version does not change it."""
    body, agents = call.body, await call.gateway.agents_current()
    if body.agent_name:
        entry = agents.active(body.agent_name)
        if entry is None:
            missing = f"No active agent found with name: {body.agent_name}"
            raise no_such_agent(400, missing, body.agent_name, agents)
    elif body.agent_id:
        entry = agents.get(body.agent_id)
        if entry is None:
            raise Refusal(400, f"Agent not found with id: {body.agent_id}")
    else:
        entry = agents.active(DEFAULT_AGENT)
    return entry.id if entry else None


def _require_tools(call: Call[Any, Any], params: GoalParams | None) -> None:
    if params:
        named = {"allowedTools": params.allowed_tools, "approvals": params.approvals}
        require_tools(call.gateway, {("params", key): names for key, names in named.items()})


def _params(given: GoalParams) -> goal.Params:
    return goal.Params.model_validate(given.model_dump(exclude_none=True))


def _require_short(call: Call[Any, Any], objective: str | None) -> None:
    limit = call.gateway.settings.max_message_length
    if objective and len(objective) > limit:
        issue = {
            "code": "too_big",
            "maximum": limit,
            "type": "string",
            "inclusive": True,
            "exact": False,
            "path": ["objective"],
            "message": f"String must contain at most {limit} character(s)",
        }
        raise Refusal(400, INVALID_BODY, validation_errors=[issue])
