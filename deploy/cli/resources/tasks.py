"""`async-agent tasks`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from contracts.api.tasks import ReasoningEffort, TaskParams, TaskResult
from contracts.client import Attachment, Client
from deploy.cli.resources.command import body, command, group

app = group(__name__)
app.callback()(lambda: None)  # with one verb only, typer would take it for the whole

Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file", exists=True, dir_okay=False, readable=True, help="UTF-8 text, or an image; one at a time."
    ),
]
Effort = Annotated[ReasoningEffort | None, typer.Option("--reasoning-effort", help="Of models that reason.")]


def answered(result: TaskResult, output: Console, notes: Console) -> None:
    """What the agent says, as plain Markdown if that is no terminal; how it was asked beside it."""
    if output.is_terminal:
        output.print(Markdown(result.response))
    else:
        output.out(result.response, highlight=False)
    tokens = f", {result.usage.total_tokens} tokens" if result.usage else ""
    cost = f", {result.cost_usd} USD" if result.cost_usd else ""
    said = f"{result.agent_name} {result.agent_version}, {result.params.model}{tokens}{cost}"
    notes.print(Text(said, style="dim"), soft_wrap=True)
    if result.finish_reason != "stop":
        notes.print(Text(f"the answer was cut short: {result.finish_reason}", style="yellow"))


@command(app, "run", shown=answered)
async def run(
    client: Client,
    agent: Annotated[str, typer.Argument(help="Name of an active agent.")],
    prompt: Annotated[str, typer.Argument(help="What it is to do.")],
    file: Files = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2. Default: the system's.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Of the answer, at most.")] = None,
    reasoning_effort: Effort = None,
) -> TaskResult:
    """Have an agent do one task, and wait for its answer; only what it took is kept."""
    params = body(
        TaskParams, temperature=temperature, max_tokens=max_tokens, reasoning_effort=reasoning_effort
    )
    files = [Attachment(path.name, path.read_bytes()) for path in file or []]
    return await client.tasks.run(agent, prompt, files=files, params=params)
