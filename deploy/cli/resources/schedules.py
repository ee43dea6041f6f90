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

app = group(__name__)

Goal = Annotated[str, typer.Argument(help="Id of a goal.")]
Id = Annotated[str, typer.Argument(help="Of a schedule; for that of a DAG, of the DAG.")]
Timezone = Annotated[str | None, typer.Option(help="IANA name. Default: UTC.")]
Overlap = Annotated[OverlapPolicy | None, typer.Option(help="While an earlier run goes on. Default: skip.")]
CatchUp = Annotated[int | None, typer.Option(help="How many seconds late a missed tick may fire.")]
Jitter = Annotated[int | None, typer.Option(help="Each tick comes up to so many seconds later.")]


@command(app, "list")
async def find(client: Client, goal: Goal) -> list[ScheduleRow]:
    """Those of a goal."""
    return await client.schedules.find(goal)


@command(app, "create")
async def create(
    client: Client,
    goal: Goal,
    cron: Annotated[str, typer.Argument(help="Such as `0 9 * * MON-FRI`.")],
    timezone: Timezone = None,
    overlap: Overlap = None,
    catch_up: CatchUp = None,
    jitter: Jitter = None,
) -> ScheduleRow:
    """One more for a goal."""
    wanted = body(
        ScheduleCreate,
        cronExpr=cron,
        timezone=timezone,
        overlap=overlap,
        catchUpSeconds=catch_up,
        jitterSeconds=jitter,
    )
    return await client.schedules.create(goal, wanted)


@command(app, "update")
async def update(  # noqa: PLR0913, PLR0917  each is an option
    client: Client,
    goal: Goal,
    schedule: Id,
    cron: Annotated[str | None, typer.Option(help="Another expression.")] = None,
    timezone: Timezone = None,
    overlap: Overlap = None,
    catch_up: CatchUp = None,
    jitter: Jitter = None,
) -> ScheduleRow:
    """Change one; what is not given stays."""
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
    """Hold one back, whatever becomes of its goal."""
    return await client.schedules.update(goal, schedule, SchedulePatch(paused=True))


@command(app, "resume")
async def resume(client: Client, goal: Goal, schedule: Id) -> ScheduleRow:
    """Let one fire again."""
    return await client.schedules.update(goal, schedule, SchedulePatch(paused=False))


@command(app, "delete")
async def delete(client: Client, goal: Goal, schedule: Id) -> None:
    """Take one away from a goal."""
    await client.schedules.delete(goal, schedule)


@command(app, "ticks")
async def ticks(client: Client, schedule: Id, limit: Limit = None, offset: Offset = None) -> TickList:
    """What was decided about each tick, newest first."""
    return await client.schedules.ticks(schedule, limit=limit, offset=offset)


@command(app, "next")
async def show_next(
    client: Client, schedule: Id, count: Annotated[int | None, typer.Option(help="Ticks.")] = None
) -> NextTicks:
    """When it comes next."""
    return await client.schedules.next(schedule, count=count)
