"""`async-agent goals`."""

from __future__ import annotations

from typing import Annotated, Literal, Unpack

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
from contracts.api.limits import OwnLimits
from contracts.client import Client
from contracts.core.event import Json
from deploy.cli.options import AskBefore, BudgetLimits, Limit, Offset, OutwardCalls
from deploy.cli.resources.command import body, command, group, object_of
from deploy.cli.resources.filters import ListOptions
from deploy.cli.resources.limits import limits_of
from deploy.cli.resources.upcoming import of_goal

app = group(__name__)

Id = Annotated[str, typer.Argument(help="Id of the goal.")]
Webhook = Annotated[str | None, typer.Option(help="URL to call about runs; see --webhook-event.")]
WebhookEvents = Annotated[
    list[str] | None,
    typer.Option(
        "--webhook-event",
        help="Call --webhook about this; repeat for more. ended: ends of runs. asked: questions to a person. "
        "Default: ended.",
    ),
]
Strategy = Annotated[
    Literal["agent", "dag"] | None,
    typer.Option(
        help="agent: an agent chooses tools turn by turn. dag: plan first, then execute. Default: agent."
    ),
]
StepBudget = Annotated[int | None, typer.Option("--step-budget", help="Maximum number of turns of a run.")]
Tools = Annotated[list[str] | None, typer.Option("--tool", help="Allow only this tool; repeat for more.")]
Params = Annotated[str | None, typer.Option(help="Further params of the goal, as JSON.")]


@command(app, "list")
async def find(client: Client, **filters: Unpack[ListOptions]) -> list[ListedGoal]:
    """List goals, newest first."""
    return await client.goals.find(**filters)


@command(app, "show")
async def show(client: Client, goal: Id) -> GoalDetail:
    """Show a goal and its schedules."""
    return await client.goals.get(goal)


@command(app, "create", extended=of_goal)
async def create(  # noqa: PLR0913, PLR0917  each is an option
    client: Client,
    objective: Annotated[str, typer.Argument(help="The goal in plain language.")],
    agent: Annotated[str | None, typer.Option(help="Name of the agent that works on the goal.")] = None,
    webhook: Webhook = None,
    webhook_event: WebhookEvents = None,
    strategy: Strategy = None,
    step_budget: StepBudget = None,
    tool: Tools = None,
    ask_before: AskBefore = None,
    outward_calls: OutwardCalls = None,
    budget: BudgetLimits = None,
    params: Params = None,
    cron: Annotated[
        str | None, typer.Option(help="Run the goal at these times, such as '0 9 * * MON'.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Time zone of --cron, such as Europe/Paris.")] = "UTC",
) -> GoalRow:
    """Create a goal. Without --cron, it runs only with `goals run`."""
    schedule = None if cron is None else {"cronExpr": cron, "timezone": timezone}
    wanted = body(
        GoalCreate,
        objective=objective,
        agentName=agent,
        webhookUrl=webhook,
        webhookEvents=webhook_event,
        schedule=schedule,
        params=_params(params, strategy, step_budget, tool, limits_of(ask_before, outward_calls, budget)),
    )
    return await client.goals.create(wanted)


@command(app, "update", extended=of_goal)
async def update(  # noqa: PLR0913, PLR0917  each is an option
    client: Client,
    goal: Id,
    objective: Annotated[str | None, typer.Option(help="New objective.")] = None,
    status: Annotated[
        GoalStatus | None,
        typer.Option(help="New status. paused and active do the same as `pause` and `resume`."),
    ] = None,
    webhook: Webhook = None,
    webhook_event: WebhookEvents = None,
    strategy: Strategy = None,
    step_budget: StepBudget = None,
    tool: Tools = None,
    ask_before: AskBefore = None,
    outward_calls: OutwardCalls = None,
    budget: BudgetLimits = None,
    params: Params = None,
) -> GoalRow:
    """Change a goal. Omitted options stay unchanged. Params are replaced as a whole."""
    changes = body(
        GoalPatch,
        objective=objective,
        status=status,
        webhookUrl=webhook,
        webhookEvents=webhook_event,
        params=_params(params, strategy, step_budget, tool, limits_of(ask_before, outward_calls, budget)),
    )
    return await client.goals.update(goal, changes)


@command(app, "run")
async def run(
    client: Client,
    goal: Id,
    ask_before: AskBefore = None,
    outward_calls: OutwardCalls = None,
    budget: BudgetLimits = None,
) -> RunTriggered:
    """Start a run now. Does not wait for it to end. Limits are added to those of the goal."""
    own = body(OwnLimits, **limits_of(ask_before, outward_calls, budget))
    return await client.goals.run(goal, limits=own)


@command(app, "pause")
async def pause(client: Client, goal: Id) -> GoalChanged:
    """Pause the schedules of a goal. Runs in progress continue."""
    return await client.goals.pause(goal)


@command(app, "resume")
async def resume(client: Client, goal: Id) -> GoalChanged:
    """Resume the schedules of a goal."""
    return await client.goals.resume(goal)


@command(app, "delete")
async def delete(client: Client, goal: Id) -> None:
    """Delete a goal and all its runs."""
    await client.goals.delete(goal)


@command(app, "memories")
async def memories(client: Client, goal: Id, limit: Limit = None, offset: Offset = None) -> list[MemoryRow]:
    """List what the runs of a goal stored for later runs."""
    return await client.goals.memories(goal, limit=limit, offset=offset)


def _params(
    text: str | None,
    strategy: str | None,
    step_budget: int | None,
    tools: list[str] | None,
    limits: dict[str, Json],
) -> Json:
    """Return the params of the goal, or None if no option is given."""
    options = {"strategy": strategy, "stepBudget": step_budget, "allowedTools": tools or None}
    given = {name: value for name, value in options.items() if value is not None}
    return {**object_of(text, "--params"), **given, **limits} or None
