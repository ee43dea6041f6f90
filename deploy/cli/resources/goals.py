"""`async-agent goals`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from contracts.api.goals import (
    GoalChanged,
    GoalCreate,
    GoalDetail,
    GoalPatch,
    GoalRow,
    GoalStatus,
    ListedGoal,
    MemoryRow,
    RunTriggered,
)
from contracts.client import Client
from contracts.core.event import Json
from deploy.cli.options import Limit, Offset, Status
from deploy.cli.resources.command import body, command, group, json_of

app = group(__name__)

Id = Annotated[str, typer.Argument(help="Of a goal.")]
Webhook = Annotated[str | None, typer.Option(help="URL that is told how each run ends.")]
Strategy = Annotated[
    Literal["agent", "dag"] | None, typer.Option(help="By turns of an agent, or by a plan. Default: agent.")
]
Budget = Annotated[int | None, typer.Option("--step-budget", help="Turns of one run at most.")]
Tools = Annotated[list[str] | None, typer.Option("--tool", help="Only these; one at a time.")]
Params = Annotated[str | None, typer.Option(help="All other params of a goal, as JSON.")]


@command(app, "list")
async def find(
    client: Client, status: Status = None, limit: Limit = None, offset: Offset = None
) -> list[ListedGoal]:
    """Newest first."""
    return await client.goals.find(status=status, limit=limit, offset=offset)


@command(app, "show")
async def show(client: Client, goal: Id) -> GoalDetail:
    """One, with its schedules."""
    return await client.goals.get(goal)


@command(app, "create")
async def create(  # noqa: PLR0913, PLR0917  each is an option
    client: Client,
    objective: Annotated[str, typer.Argument(help="In plain words.")],
    agent: Annotated[str | None, typer.Option(help="Name of the agent that pursues it.")] = None,
    webhook: Webhook = None,
    strategy: Strategy = None,
    step_budget: Budget = None,
    tool: Tools = None,
    params: Params = None,
    cron: Annotated[str | None, typer.Option(help="When to pursue it by itself.")] = None,
    timezone: Annotated[str, typer.Option(help="Of --cron, an IANA name.")] = "UTC",
) -> GoalRow:
    """A new one, active; it does nothing by itself without --cron."""
    schedule = {"cronExpr": cron, "timezone": timezone} if cron else None
    wanted = body(
        GoalCreate,
        objective=objective,
        agentName=agent,
        webhookUrl=webhook,
        schedule=schedule,
        params=_params(params, strategy, step_budget, tool),
    )
    return await client.goals.create(wanted)


@command(app, "update")
async def update(  # noqa: PLR0913, PLR0917  each is an option
    client: Client,
    goal: Id,
    objective: Annotated[str | None, typer.Option(help="Another one.")] = None,
    status: Annotated[GoalStatus | None, typer.Option(help="As pausing and resuming do.")] = None,
    webhook: Webhook = None,
    strategy: Strategy = None,
    step_budget: Budget = None,
    tool: Tools = None,
    params: Params = None,
) -> GoalRow:
    """Change one; what is not given stays, but params all at once."""
    changes = body(
        GoalPatch,
        objective=objective,
        status=status,
        webhookUrl=webhook,
        params=_params(params, strategy, step_budget, tool),
    )
    return await client.goals.update(goal, changes)


@command(app, "run")
async def run(client: Client, goal: Id) -> RunTriggered:
    """Pursue it now; does not wait for the end of the run."""
    return await client.goals.run(goal)


@command(app, "pause")
async def pause(client: Client, goal: Id) -> GoalChanged:
    """Hold its schedules back; runs that are going on go on."""
    return await client.goals.pause(goal)


@command(app, "resume")
async def resume(client: Client, goal: Id) -> GoalChanged:
    """Let its schedules fire again."""
    return await client.goals.resume(goal)


@command(app, "delete")
async def delete(client: Client, goal: Id) -> None:
    """Delete it and all its runs."""
    await client.goals.delete(goal)


@command(app, "memories")
async def memories(client: Client, goal: Id, limit: Limit = None, offset: Offset = None) -> list[MemoryRow]:
    """What its runs have left for the next ones."""
    return await client.goals.memories(goal, limit=limit, offset=offset)


def _params(text: str | None, strategy: str | None, step_budget: int | None, tools: list[str] | None) -> Json:
    """None where none is given."""
    options = {"strategy": strategy, "stepBudget": step_budget, "allowedTools": tools or None}
    given = {name: value for name, value in options.items() if value is not None}
    return {**(json_of(text, "--params") or {}), **given} or None
