"""Goals."""

from __future__ import annotations

from typing import Unpack

from contracts.api.goals import (
    GoalChanged,
    GoalCreate,
    GoalDetail,
    GoalPatch,
    GoalRow,
    ListedGoal,
    MemoryRow,
    RunTriggered,
    WhenBusy,
)
from contracts.api.limits import OwnLimits
from contracts.client.filters import Filters, query
from contracts.client.http import Http, body_as_json, keyed, parse_answer, path

GOALS = "goals"


class Goals:
    """Requests about goals. Schedules has the requests about their schedules."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(self, **filters: Unpack[Filters]) -> list[ListedGoal]:
        """List goals with their schedules and agents, newest first. Default: all."""
        return await self._http.get(list[ListedGoal], path(GOALS), **query(filters))

    async def get(self, goal_id: str) -> GoalDetail:
        """Get a goal with its schedules."""
        return await self._http.get(GoalDetail, path(GOALS, goal_id))

    async def create(self, goal: GoalCreate, *, key: str | None = None) -> GoalRow:
        """Create a goal. A new goal is active."""
        return await self._http.send(GoalRow, "POST", path(GOALS), goal, key)

    async def update(self, goal_id: str, changes: GoalPatch) -> GoalRow:
        """Change a goal."""
        return await self._http.send(GoalRow, "PATCH", path(GOALS, goal_id), changes)

    async def delete(self, goal_id: str) -> None:
        """Delete a goal and its runs. Runs in progress are cancelled first."""
        await self._http.call("DELETE", path(GOALS, goal_id))

    async def run(
        self,
        goal_id: str,
        *,
        limits: OwnLimits | None = None,
        when_busy: WhenBusy | None = None,
        key: str | None = None,
    ) -> RunTriggered:
        """Run a goal now. `limits` are added to those of the goal.

        If the maximum number of runs is in progress, `when_busy` decides. Default: the run is queued.
        """
        query, body = {"whenBusy": when_busy}, body_as_json(limits)
        asked = path(GOALS, goal_id, "run")
        answer = await self._http.call("POST", asked, body, query=query, headers=keyed(key))
        return parse_answer(RunTriggered, answer)

    async def pause(self, goal_id: str) -> GoalChanged:
        """Pause the schedules of a goal. Runs in progress continue."""
        return await self._http.send(GoalChanged, "POST", path(GOALS, goal_id, "pause"))

    async def resume(self, goal_id: str) -> GoalChanged:
        """Resume the schedules of a goal."""
        return await self._http.send(GoalChanged, "POST", path(GOALS, goal_id, "resume"))

    async def memories(
        self,
        goal_id: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        cursor: str | None = None,
    ) -> list[MemoryRow]:
        """List what the runs of a goal stored for later runs, newest first."""
        of_goal = path(GOALS, goal_id, "memories")
        return await self._http.get(list[MemoryRow], of_goal, limit=limit, offset=offset, cursor=cursor)
