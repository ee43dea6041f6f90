"""`async-agent dags`."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.api.costs import DagCosts
from contracts.api.dags import DagDeleted, DagList, DagPatch, DagRow, ScheduledDag
from contracts.api.executions import DagExecutionList
from contracts.client import PLANNER_AGENT, Client, Started
from deploy.cli.options import Limit, Offset, Status
from deploy.cli.resources.command import body, command, group

app = group(__name__)

Id = Annotated[str, typer.Argument(help="Of a DAG.")]
Cron = Annotated[str | None, typer.Option(help="When to execute it by itself.")]
Timezone = Annotated[str | None, typer.Option(help="IANA name. Default: UTC.")]


@command(app, "list")
async def find(client: Client, status: Status = None, limit: Limit = None, offset: Offset = None) -> DagList:
    """Those that have a plan, or ask something; newest first."""
    return await client.dags.find(status=status, limit=limit, offset=offset)


@command(app, "scheduled")
async def scheduled(client: Client) -> list[ScheduledDag]:
    """Those with a schedule."""
    return await client.dags.scheduled()


@command(app, "show")
async def show(client: Client, dag: Id) -> DagRow:
    """One, and its plan."""
    return await client.dags.get(dag)


@command(app, "create")
async def create(
    client: Client,
    goal: Annotated[str, typer.Argument(help="In plain words.")],
    agent: Annotated[str, typer.Option(help="The agent that plans.")] = PLANNER_AGENT,
    cron: Cron = None,
    timezone: Timezone = None,
) -> DagRow:
    """Have a goal planned, and wait for the plan."""
    options = {"cronSchedule": cron, "timezone": timezone}
    given = {name: value for name, value in options.items() if value is not None}
    return await client.dags.create(goal, agent=agent, **given)


@command(app, "clarify")
async def clarify(client: Client, dag: Id, answer: str) -> DagRow:
    """Answer the question that planning stopped at, and wait for the plan."""
    return await client.dags.clarify(dag, answer)


@command(app, "run")
async def run(client: Client, dag: Id) -> Started:
    """Execute a plan; does not wait for its end."""
    return await client.dags.execute(dag)


@command(app, "update")
async def update(
    client: Client,
    dag: Id,
    title: Annotated[str | None, typer.Option(help="Another title.")] = None,
    cron: Cron = None,
    timezone: Timezone = None,
) -> DagRow:
    """Change it or its schedule; a first --cron waits for `dags resume`, an empty one takes it away."""
    return await client.dags.update(dag, body(DagPatch, dagTitle=title, cronSchedule=cron, timezone=timezone))


@command(app, "pause")
async def pause(client: Client, dag: Id) -> DagRow:
    """Hold its schedule back."""
    return await client.dags.update(dag, DagPatch(scheduleActive=False))


@command(app, "resume")
async def resume(client: Client, dag: Id) -> DagRow:
    """Let its schedule fire again."""
    return await client.dags.update(dag, DagPatch(scheduleActive=True))


@command(app, "delete")
async def delete(client: Client, dag: Id) -> DagDeleted:
    """Delete it; not while it has executions."""
    return await client.dags.delete(dag)


@command(app, "executions")
async def executions(
    client: Client, dag: Id, status: Status = None, limit: Limit = None, offset: Offset = None
) -> DagExecutionList:
    """Its executions, newest first."""
    return await client.dags.executions(dag, status=status, limit=limit, offset=offset)


@command(app, "costs")
async def costs(client: Client, dag: Id) -> DagCosts:
    """What the plan and its executions cost."""
    return await client.dags.costs(dag)
