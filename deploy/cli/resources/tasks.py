"""`async-agent tasks`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contracts.api.tasks import ReasoningEffort, TaskParams, TaskResult
from contracts.client import Attachment, Client
from deploy.cli.resources.command import body, command, group
from deploy.terminal import Terminal

app = group(__name__)
app.callback()(lambda: None)  # without a callback, typer turns a single command into the whole app

Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file", exists=True, dir_okay=False, readable=True, help="Text or image file; repeat for more."
    ),
]
Effort = Annotated[ReasoningEffort | None, typer.Option("--reasoning-effort", help="For models that reason.")]


def answered(result: TaskResult, output: Terminal, notes: Terminal) -> None:
    """Print the answer on `output`, and agent, model and cost on `notes`."""
    output.markdown(result.response)
    tokens = f", {result.usage.total_tokens} tokens" if result.usage else ""
    cost = f", {result.cost_usd} USD" if result.cost_usd else ""
    said = f"{result.agent_name} {result.agent_version}, {result.params.model}{tokens}{cost}"
    notes.note(said, "dim")
    if result.finish_reason != "stop":
        notes.note(f"the answer is incomplete: {result.finish_reason}", "yellow")


@command(app, "run", shown=answered)
async def run(
    client: Client,
    agent: Annotated[str, typer.Argument(help="Name of an active agent.")],
    prompt: Annotated[str, typer.Argument(help="The task.")],
    file: Files = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2. Default: the system's.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Maximum number of tokens of the answer.")] = None,
    reasoning_effort: Effort = None,
) -> TaskResult:
    """Give an agent one task, and wait for the answer. Only usage and cost are stored."""
    params = body(
        TaskParams, temperature=temperature, max_tokens=max_tokens, reasoning_effort=reasoning_effort
    )
    files = [Attachment(path.name, path.read_bytes()) for path in file or []]
    return await client.tasks.run(agent, prompt, files=files, params=params)
