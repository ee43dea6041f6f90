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
    goal: Annotated[str, typer.Argument(help="The goal in plain language.")],
    provider: Annotated[str, typer.Option(help="Provider of the models.")],
    model: Annotated[list[str], typer.Option("--model", help="Model to try; repeat for more.")],
    temperature: Annotated[
        list[float], typer.Option("--temperature", help="Temperature to try; repeat for more.")
    ],
    agent: Annotated[str, typer.Option(help="Name of the agent that plans.")] = PLANNER_AGENT,
    seed: Annotated[int | None, typer.Option(help="Seed, for models that support it.")] = None,
) -> ExperimentsCompleted:
    """Plan a goal with each model at each temperature, and wait for the plans. Each plan is a DAG."""
    return await client.experiments.run(
        goal, provider=provider, models=model, temperatures=temperature, agent=agent, seed=seed
    )
