"""`async-agent schedules`."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.api.schedules import (
    NextTicks,
    OverlapPolicy,
    ScheduleCreate,
    SchedulePatch,
    ScheduleRow,
    TickList,
)
from contracts.client import Client
from deploy.cli.options import Limit, Offset
from deploy.cli.resources.command import body, command, group
from deploy.cli.resources.upcoming import of_schedule

app = group(__name__)

Goal = Annotated[str, typer.Argument(help="Id of the goal.")]
Id = Annotated[str, typer.Argument(help="Id of the schedule. The schedule of a DAG has the id of the DAG.")]
Timezone = Annotated[str | None, typer.Option(help="Time zone, such as Europe/Paris. Default: UTC.")]
Overlap = Annotated[
    OverlapPolicy | None,
    typer.Option(help="What happens to a tick while an earlier run is in progress. Default: skip."),
]
CatchUp = Annotated[int | None, typer.Option(help="Fire a missed tick up to this many seconds late.")]
Jitter = Annotated[int | None, typer.Option(help="Delay each tick by up to this many seconds.")]


@command(app, "list")
async def find(client: Client, goal: Goal) -> list[ScheduleRow]:
    """List the schedules of a goal."""
    return await client.schedules.find(goal)


@command(app, "create", extended=of_schedule)
async def create(
    client: Client,
    goal: Goal,
    cron: Annotated[str, typer.Argument(help="Cron expression, such as '0 9 * * MON-FRI'.")],
    timezone: Timezone = None,
    overlap: Overlap = None,
    catch_up: CatchUp = None,
    jitter: Jitter = None,
) -> ScheduleRow:
    """Add a schedule to a goal."""
    wanted = body(
        ScheduleCreate,
        cronExpr=cron,
        timezone=timezone,
        overlap=overlap,
        catchUpSeconds=catch_up,
        jitterSeconds=jitter,
    )
    return await client.schedules.create(goal, wanted)


@command(app, "update", extended=of_schedule)
async def update(  # noqa: PLR0913, PLR0917  each is an option
    client: Client,
    goal: Goal,
    schedule: Id,
    cron: Annotated[str | None, typer.Option(help="New cron expression.")] = None,
    timezone: Timezone = None,
    overlap: Overlap = None,
    catch_up: CatchUp = None,
    jitter: Jitter = None,
) -> ScheduleRow:
    """Change a schedule. Omitted options stay unchanged."""
    changes = body(
        SchedulePatch,
        cronExpr=cron,
        timezone=timezone,
        overlap=overlap,
        catchUpSeconds=catch_up,
        jitterSeconds=jitter,
    )
    return await client.schedules.update(goal, schedule, changes)


@command(app, "pause")
async def pause(client: Client, goal: Goal, schedule: Id) -> ScheduleRow:
    """Pause a schedule."""
    return await client.schedules.update(goal, schedule, SchedulePatch(paused=True))


@command(app, "resume", extended=of_schedule)
async def resume(client: Client, goal: Goal, schedule: Id) -> ScheduleRow:
    """Resume a schedule."""
    return await client.schedules.update(goal, schedule, SchedulePatch(paused=False))


@command(app, "delete")
async def delete(client: Client, goal: Goal, schedule: Id) -> None:
    """Remove a schedule from a goal."""
    await client.schedules.delete(goal, schedule)


@command(app, "ticks")
async def ticks(client: Client, schedule: Id, limit: Limit = None, offset: Offset = None) -> TickList:
    """List the decisions about ticks, newest first."""
    return await client.schedules.ticks(schedule, limit=limit, offset=offset)


@command(app, "next")
async def show_next(
    client: Client,
    schedule: Id,
    count: Annotated[int | None, typer.Option(min=1, help="Number of ticks. Default: 10.")] = None,
) -> NextTicks:
    """Show the next ticks of a schedule, in its time zone."""
    return await client.schedules.next(schedule, count=count)
