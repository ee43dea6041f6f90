"""Schedules of goals, and the ticks of all schedules."""

from __future__ import annotations

from contracts.api.schedules import NextTicks, ScheduleCreate, SchedulePatch, ScheduleRow, TickList
from contracts.client.http import Http, path

SCHEDULES = "schedules"


class Schedules:
    """Requests about schedules. The schedule of a DAG has the id of the DAG."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(self, goal_id: str) -> list[ScheduleRow]:
        """List the schedules of a goal."""
        return await self._http.get(list[ScheduleRow], path("goals", goal_id, SCHEDULES))

    async def create(self, goal_id: str, schedule: ScheduleCreate, *, key: str | None = None) -> ScheduleRow:
        """Add a schedule to a goal."""
        return await self._http.send(ScheduleRow, "POST", path("goals", goal_id, SCHEDULES), schedule, key)

    async def update(self, goal_id: str, schedule_id: str, changes: SchedulePatch) -> ScheduleRow:
        """Change a schedule of a goal."""
        of_goal = path("goals", goal_id, SCHEDULES, schedule_id)
        return await self._http.send(ScheduleRow, "PATCH", of_goal, changes)

    async def delete(self, goal_id: str, schedule_id: str) -> None:
        """Delete a schedule of a goal."""
        await self._http.call("DELETE", path("goals", goal_id, SCHEDULES, schedule_id))

    async def ticks(
        self,
        schedule_id: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        cursor: str | None = None,
    ) -> TickList:
        """List the decisions about the ticks of a schedule, newest first."""
        of_schedule = path(SCHEDULES, schedule_id, "ticks")
        return await self._http.get(TickList, of_schedule, limit=limit, offset=offset, cursor=cursor)

    async def next(self, schedule_id: str, *, count: int | None = None) -> NextTicks:
        """Get the next ticks of a schedule."""
        return await self._http.get(NextTicks, path(SCHEDULES, schedule_id, "next"), count=count)
