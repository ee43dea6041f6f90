"""Output after a change of a schedule: the schedule in words and its next tick."""

from __future__ import annotations

from contracts.api.dags import DagRow
from contracts.api.goals import GoalRow
from contracts.api.schedules import NextTicks, ScheduleRow
from contracts.client import Client


class ScheduledGoal(GoalRow):
    """A goal and the next tick of each of its schedules."""

    schedules: list[NextTicks]


class Upcoming(ScheduleRow):
    """A schedule and its next tick."""

    upcoming: NextTicks


class ScheduledDag(DagRow):
    """A DAG and the next tick of its schedule."""

    upcoming: NextTicks


async def of_goal(client: Client, goal: GoalRow) -> GoalRow:
    """Return the goal with its schedules, if it has any."""
    schedules = await client.schedules.find(goal.id)
    ticks = [await client.schedules.next(schedule.id, count=1) for schedule in schedules]
    return ScheduledGoal(**dict(goal), schedules=ticks)


async def of_schedule(client: Client, schedule: ScheduleRow) -> ScheduleRow:
    """Return the schedule with its next tick."""
    return Upcoming(**dict(schedule), upcoming=await client.schedules.next(schedule.id, count=1))


async def of_dag(client: Client, dag: DagRow) -> DagRow:
    """Return the DAG with its next tick, if it has a schedule."""
    if not dag.cron_schedule:
        return dag
    return ScheduledDag(**dict(dag), upcoming=await client.schedules.next(dag.id, count=1))
