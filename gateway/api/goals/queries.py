"""Reads goals from the views, and just-written goals from the log."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import Select, bindparam, func, select

from contracts.api.fields import epoch_ms
from contracts.api.goals import GoalQuery
from contracts.core.commit import Commit
from contracts.core.unread import readable
from contracts.domain import goal
from contracts.domain.goal import GOAL
from contracts.domain.schedule.schedule import Schedule
from contracts.runtime.stream import Stream
from contracts.views import IS_TOOL_CALL, agents, goal_schedules, goals, goals_text, run_steps, runs
from gateway.api.filters import text_and_time
from gateway.api.goals.presenters import (
    AGENT_COLUMNS,
    GOAL_COLUMNS,
    SCHEDULE_COLUMNS,
    goal_row,
    goals_with_schedules,
    schedule_row,
)
from gateway.api.runs.kinds import GOAL_RUNS
from gateway.gateway import Gateway
from gateway.views.filtering import (
    COMMON,
    Conditions,
    Probes,
    chosen,
    given,
    has_many,
    of_agent,
    reader_for,
    searched_in,
    text_is_common,
)
from gateway.views.paging import EVERYTHING, Part, page_of
from gateway.views.presenting import JsonRow
from gateway.views.reader import Row, ViewsUnavailable

_with_schedules = goals.outerjoin(goal_schedules, goal_schedules.c.goal_id == goals.c.id)
_in_order = (goal_schedules.c.created_at, goal_schedules.c.id)
_ONE = (
    select(*GOAL_COLUMNS, *SCHEDULE_COLUMNS)
    .select_from(_with_schedules)
    .where(goals.c.id == bindparam("goal_id"))
    .order_by(*_in_order)
)
_cost = select(func.sum(GOAL_RUNS.cost)).where(runs.c.goal_id == goals.c.id).scalar_subquery()
_calls = select(run_steps.c.run_id).where(IS_TOOL_CALL, run_steps.c.name == bindparam("tool"))
_has_call = _calls.where(run_steps.c.run_id == runs.c.id).exists()
_FILTERS: Conditions = {
    **searched_in(goals, goals_text),
    "status": goals.c.status == bindparam("status"),
    "agent": of_agent(goals.c.agent_id),
    "tool": goals.c.id.in_(select(runs.c.goal_id).where(runs.c.id.in_(_calls), runs.c.goal_id.is_not(None))),
    f"{COMMON}tool": select(runs.c.id).where(runs.c.goal_id == goals.c.id, _has_call).exists(),
    "min_cost": func.coalesce(_cost, 0) >= bindparam("min_cost"),
}
_PROBES: Probes = {"q": text_is_common(goals_text), "tool": has_many(_calls)}
_LAST_RUN = select(goal_schedules.c.last_run_at).where(goal_schedules.c.id == bindparam("schedule_id"))


async def listed(gateway: Gateway, query: GoalQuery) -> tuple[list[JsonRow], str | None]:
    """Return goals with their schedules and agents, newest first, and the cursor of the next page.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
        Refusal: a time is invalid.
    """
    part = Part(query.limit or EVERYTHING, query.offset, query.cursor)
    wanted = given(
        status=query.status,
        agent=query.agent,
        tool=query.tool,
        min_cost=query.min_cost_usd,
        **text_and_time(query, gateway.clock()),
    )
    async with reader_for(gateway.views, wanted) as reader:
        statement = _page(await chosen(reader, wanted, _PROBES), after=bool(query.cursor))
        rows = await reader.all(statement, **wanted, **part.parameters)
    in_time = sorted(rows, key=lambda row: (row["schedule_created_at"] or 0, row["schedule_id"] or ""))
    newest = sorted(in_time, key=lambda row: (row["goal_created_at"], row["goal_id"]), reverse=True)
    firsts = [next(some) for _, some in groupby(newest, key=lambda row: row["goal_id"])]
    return goals_with_schedules(newest, agents=True), part.next(firsts, "goal_created_at", "goal_id")


async def one(gateway: Gateway, goal_id: str) -> JsonRow | None:
    """Return a goal with its schedules, or None if it does not exist.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    rows = await gateway.views.all(_ONE, goal_id=goal_id)
    return goals_with_schedules(rows, agents=False)[0] if rows else None


def logged(stream: Stream[goal.State]) -> JsonRow:
    """Return a goal as of its last commit, independent of the views. `stream` has all commits of the goal."""
    state = stream.state
    assert stream.began
    assert stream.changed  # as it has a commit
    return goal_row(
        {
            "goal_id": stream.id,
            "goal_objective": state.objective,
            "goal_params": orjson.dumps(state.params.as_json()),
            "goal_webhook_url": state.webhook_url,
            "goal_webhook_events": orjson.dumps(state.webhook_events),
            "goal_agent_id": state.agent_id,
            "goal_status": state.status.value,
            "goal_created_at": epoch_ms(stream.began),
            "goal_updated_at": epoch_ms(stream.changed),
        }
    )


async def logged_schedule(gateway: Gateway, stream: Stream[goal.State], schedule_id: str) -> JsonRow:
    """Return a schedule as of the last commit of its goal. Its `lastRunAt` comes from the views."""
    commits = await _commits(gateway, stream)
    last_run_at = None
    with suppress(ViewsUnavailable):
        last_run_at = await gateway.views.value(_LAST_RUN, schedule_id=schedule_id)
    return schedule_row({**_schedule(stream.id, schedule_id, commits), "schedule_last_run_at": last_run_at})


async def _commits(gateway: Gateway, stream: Stream[goal.State]) -> list[Commit]:
    """Return all commits of a goal up to the last one in `stream`."""
    return [one.commit for one in await gateway.log.read(GOAL.name, stream.id) if one.seq <= stream.seq]


def _schedule(goal_id: str, schedule_id: str, commits: Iterable[Commit]) -> Row:
    state, schedule = GOAL.initial, Schedule(cron="")
    changed: list[int] = []
    for commit in commits:
        state = GOAL.fold(readable(commit.events), state)
        if (newest := state.schedules.get(schedule_id, schedule)) != schedule:
            schedule = newest
            changed.append(epoch_ms(commit.time))
    return {
        "schedule_id": schedule_id,
        "schedule_goal_id": goal_id,
        "schedule_cron_expr": schedule.cron,
        "schedule_timezone": schedule.timezone,
        "schedule_active": schedule.active,
        "schedule_paused": schedule.paused,
        "schedule_overlap": schedule.overlap.value,
        "schedule_catch_up_s": schedule.catch_up_s,
        "schedule_jitter_s": schedule.jitter_s,
        "schedule_created_at": changed[0],
        "schedule_updated_at": changed[-1],
    }


@cache
def _page(by: tuple[str, ...], *, after: bool) -> Select[Any]:
    """Return the statement for a page. It is cached, because building it takes longer than executing it."""
    page = page_of(goals.c.created_at, goals.c.id, [_FILTERS[name] for name in by], after=after)
    return (
        select(*GOAL_COLUMNS, *AGENT_COLUMNS, *SCHEDULE_COLUMNS)
        .select_from(_with_schedules.outerjoin(agents, agents.c.id == goals.c.agent_id))
        .where(goals.c.id.in_(page))
    )
