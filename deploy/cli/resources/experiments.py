"""`async-agent experiments`."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.api.experiments import ExperimentsCompleted
from contracts.client import PLANNER_AGENT, Client
from deploy.cli.resources.command import command, group

app = group(__name__)


@command(app, "run")
async def run(
    client: Client,
    goal: Annotated[str, typer.Argument(help="In plain words.")],
    provider: Annotated[str, typer.Option(help="Of the models.")],
    model: Annotated[list[str], typer.Option("--model", help="One at a time.")],
    temperature: Annotated[list[float], typer.Option("--temperature", help="One at a time.")],
    agent: Annotated[str, typer.Option(help="The agent that plans.")] = PLANNER_AGENT,
    seed: Annotated[int | None, typer.Option(help="For models that take one.")] = None,
) -> ExperimentsCompleted:
    """Have a goal planned by each model at each temperature, and wait; each is a DAG of its own."""
    return await client.experiments.run(
        goal, provider=provider, models=model, temperatures=temperature, agent=agent, seed=seed
    )
