"""`async-agent compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.api.compare import Comparison
from contracts.client import Client
from deploy.cli.resources.command import command, group
from deploy.cli.tables import record_of
from deploy.terminal import Terminal

app = group(__name__)


def shown(answer: Comparison, output: Terminal, notes: Terminal) -> None:
    """Print both sides and their steps, then the differences of results."""
    output.print_whole(record_of(answer.model_copy(update={"report": None})))
    for step in answer.steps:
        if step.result.diff:
            output.literal(f"\nstep {step.step}\n{step.result.diff}")
        elif step.result.truncated:
            notes.note(f"the results of step {step.step} differ, and are too long to be shown")


@command(app, "runs", shown=shown)
async def runs(
    client: Client,
    a: Annotated[str, typer.Argument(help="Id of an execution or a run.")],
    b: Annotated[str, typer.Argument(help="Id of another one, such as its fork.")],
) -> Comparison:
    """Compare two executions or runs, step by step: status, duration, cost and results."""
    return await client.compare(a, b)
