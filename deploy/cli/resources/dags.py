"""`async-agent dags`."""

from __future__ import annotations

from typing import Annotated, Unpack

import typer

from contracts.api.costs import DagCosts
from contracts.api.dags import DagDeleted, DagList, DagPatch, DagRow, ScheduledDag
from contracts.api.executions import DagExecutionList
from contracts.api.limits import OwnLimits
from contracts.client import PLANNER_AGENT, Client, Started
from deploy.cli.options import AskBefore, BudgetLimits, OutwardCalls
from deploy.cli.resources.command import body, command, group
from deploy.cli.resources.filters import ListOptions
from deploy.cli.resources.limits import limits_of
from deploy.cli.resources.upcoming import of_dag

app = group(__name__)

Id = Annotated[str, typer.Argument(help="Id of the DAG.")]
Cron = Annotated[str | None, typer.Option(help="Execute the plan at these times, such as '0 9 * * MON'.")]
Timezone = Annotated[
    str | None, typer.Option(help="Time zone of --cron, such as Europe/Paris. Default: UTC.")
]


@command(app, "list")
async def find(client: Client, **filters: Unpack[ListOptions]) -> DagList:
    """List DAGs that have a plan or a clarification question, newest first."""
    return await client.dags.find(**filters)


@command(app, "scheduled")
async def scheduled(client: Client) -> list[ScheduledDag]:
    """List DAGs that have a schedule."""
    return await client.dags.scheduled()


@command(app, "show")
async def show(client: Client, dag: Id) -> DagRow:
    """Show a DAG and its plan."""
    return await client.dags.get(dag)


@command(app, "create", extended=of_dag)
async def create(  # noqa: PLR0913, PLR0917  each is an option
    client: Client,
    goal: Annotated[str, typer.Argument(help="The goal in plain language.")],
    agent: Annotated[str, typer.Option(help="Name of the agent that plans.")] = PLANNER_AGENT,
    ask_before: AskBefore = None,
    outward_calls: OutwardCalls = None,
    budget: BudgetLimits = None,
    cron: Cron = None,
    timezone: Timezone = None,
) -> DagRow:
    """Plan a goal, and wait for the plan."""
    options = {"cronSchedule": cron, "timezone": timezone}
    given = {name: value for name, value in options.items() if value is not None}
    limits = limits_of(ask_before, outward_calls, budget)
    return await client.dags.create(goal, agent=agent, **given, **limits)


@command(app, "clarify")
async def clarify(client: Client, dag: Id, answer: str) -> DagRow:
    """Answer the clarification question, and wait for the plan."""
    return await client.dags.clarify(dag, answer)


@command(app, "run")
async def run(
    client: Client,
    dag: Id,
    ask_before: AskBefore = None,
    outward_calls: OutwardCalls = None,
    budget: BudgetLimits = None,
) -> Started:
    """Start an execution of the plan. Does not wait for it to end. Limits are added to those of the plan."""
    own = body(OwnLimits, **limits_of(ask_before, outward_calls, budget))
    return await client.dags.execute(dag, limits=own)


@command(app, "update", extended=of_dag)
async def update(
    client: Client,
    dag: Id,
    title: Annotated[str | None, typer.Option(help="New title.")] = None,
    cron: Cron = None,
    timezone: Timezone = None,
) -> DagRow:
    """Change a DAG or its schedule. A first --cron is paused until `dags resume`; an empty one clears it."""
    return await client.dags.update(dag, body(DagPatch, dagTitle=title, cronSchedule=cron, timezone=timezone))


@command(app, "pause")
async def pause(client: Client, dag: Id) -> DagRow:
    """Pause the schedule of a DAG."""
    return await client.dags.update(dag, DagPatch(scheduleActive=False))


@command(app, "resume", extended=of_dag)
async def resume(client: Client, dag: Id) -> DagRow:
    """Resume the schedule of a DAG."""
    return await client.dags.update(dag, DagPatch(scheduleActive=True))


@command(app, "delete")
async def delete(client: Client, dag: Id) -> DagDeleted:
    """Delete a DAG that has no executions."""
    return await client.dags.delete(dag)


@command(app, "executions")
async def executions(client: Client, dag: Id, **filters: Unpack[ListOptions]) -> DagExecutionList:
    """List the executions of a DAG, newest first."""
    return await client.dags.executions(dag, **filters)


@command(app, "costs")
async def costs(client: Client, dag: Id) -> DagCosts:
    """Show the costs of a plan and its executions."""
    return await client.dags.costs(dag)
