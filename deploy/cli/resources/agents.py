"""`async-agent agents`."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.api.agents import AgentCreate, AgentPatch, AgentRow
from contracts.client import Client
from deploy.cli.resources.command import body, command, group, text_in

app = group(__name__)

Id = Annotated[str, typer.Argument(help="Id of the version.")]
Prompt = Annotated[
    typer.FileBinaryRead,
    typer.Option("--prompt", help="File with the system prompt; `-` reads standard input."),
]
Name = Annotated[str, typer.Argument(help="Name of the agent.")]
Provider = Annotated[str | None, typer.Option(help="Provider of the model. Default: the system's.")]
Model = Annotated[str | None, typer.Option(help="Model to call. Default: the system's.")]


@command(app, "list")
async def find(
    client: Client,
    name: Annotated[str | None, typer.Option(help="Show only versions of this agent.")] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Show only active or inactive versions.")
    ] = None,
) -> list[AgentRow]:
    """List all versions, newest first."""
    return await client.agents.find(name=name, active=active)


@command(app, "show")
async def show(client: Client, agent: Id) -> AgentRow:
    """Show a version."""
    return await client.agents.get(agent)


@command(app, "resolve")
async def resolve(client: Client, name: Name) -> AgentRow:
    """Show the active version of an agent."""
    return await client.agents.resolve(name)


@command(app, "create")
async def create(
    client: Client,
    name: Name,
    version: Annotated[str, typer.Argument(help="Version, such as 1.0.0.")],
    prompt: Prompt,
    provider: Provider = None,
    model: Model = None,
) -> AgentRow:
    """Create a version. It is inactive until `agents activate`."""
    wanted = body(
        AgentCreate,
        name=name,
        version=version,
        promptTemplate=text_in(prompt),
        provider=provider,
        model=model,
    )
    return await client.agents.create(wanted)


@command(app, "update")
async def update(
    client: Client,
    agent: Id,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    version: Annotated[str | None, typer.Option(help="New version.")] = None,
    prompt: Annotated[
        typer.FileBinaryRead | None,
        typer.Option("--prompt", help="File with the new prompt; `-` reads standard input."),
    ] = None,
    provider: Provider = None,
    model: Model = None,
) -> AgentRow:
    """Change a version. Omitted options stay unchanged."""
    template = text_in(prompt) if prompt else None
    changes = body(
        AgentPatch, name=name, version=version, promptTemplate=template, provider=provider, model=model
    )
    return await client.agents.update(agent, changes)


@command(app, "activate")
async def activate(client: Client, agent: Id) -> AgentRow:
    """Make a version the active one of its agent."""
    return await client.agents.activate(agent)


@command(app, "delete")
async def delete(client: Client, agent: Id) -> None:
    """Delete an inactive version."""
    await client.agents.delete(agent)
