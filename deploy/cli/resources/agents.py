"""`async-agent agents`."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.api.agents import AgentCreate, AgentPatch, AgentRow
from contracts.client import Client
from deploy.cli.resources.command import body, command, group

app = group(__name__)

Id = Annotated[str, typer.Argument(help="Of one version.")]
Prompt = Annotated[typer.FileText, typer.Option("--prompt", help="A file; `-` is standard input.")]
Provider = Annotated[str | None, typer.Option(help="Of the model. Default: the system's.")]
Model = Annotated[str | None, typer.Option(help="Default: the system's.")]


@command(app, "list")
async def find(
    client: Client,
    name: Annotated[str | None, typer.Option(help="Only versions of this name.")] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Only those.")] = None,
) -> list[AgentRow]:
    """All versions, newest first."""
    return await client.agents.find(name=name, active=active)


@command(app, "show")
async def show(client: Client, agent: Id) -> AgentRow:
    """One version."""
    return await client.agents.get(agent)


@command(app, "resolve")
async def resolve(client: Client, name: str) -> AgentRow:
    """The active version of a name."""
    return await client.agents.resolve(name)


@command(app, "create")
async def create(
    client: Client,
    name: str,
    version: str,
    prompt: Prompt,
    provider: Provider = None,
    model: Model = None,
) -> AgentRow:
    """A new version, inactive."""
    wanted = body(
        AgentCreate, name=name, version=version, promptTemplate=prompt.read(), provider=provider, model=model
    )
    return await client.agents.create(wanted)


@command(app, "update")
async def update(
    client: Client,
    agent: Id,
    name: str | None = None,
    version: str | None = None,
    prompt: Annotated[
        typer.FileText | None, typer.Option("--prompt", help="A file; `-` is standard input.")
    ] = None,
    provider: Provider = None,
    model: Model = None,
) -> AgentRow:
    """Change a version; what is not given stays."""
    template = prompt.read() if prompt else None
    changes = body(
        AgentPatch, name=name, version=version, promptTemplate=template, provider=provider, model=model
    )
    return await client.agents.update(agent, changes)


@command(app, "activate")
async def activate(client: Client, agent: Id) -> AgentRow:
    """Make it the active version of its name."""
    return await client.agents.activate(agent)


@command(app, "delete")
async def delete(client: Client, agent: Id) -> None:
    """Delete a version that is not active."""
    await client.agents.delete(agent)
