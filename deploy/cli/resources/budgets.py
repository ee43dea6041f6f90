"""The options of the commands that change the budget of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.api.budgets import BudgetChange
from deploy.cli.resources.command import body

Usd = Annotated[float | None, typer.Option(help="Maximum US dollars for models.")]
Tokens = Annotated[int | None, typer.Option(help="Maximum tokens of models.")]
Seconds = Annotated[float | None, typer.Option(help="Maximum seconds in which the run is running.")]
Steps = Annotated[int | None, typer.Option(help="Maximum number of steps.")]


def change_of(
    usd: float | None, tokens: int | None, seconds: float | None, steps: int | None
) -> BudgetChange | None:
    """The limits that are given; None if none is."""
    options = {"usd": usd, "tokens": tokens, "seconds": seconds, "steps": steps}
    given = {name: value for name, value in options.items() if value is not None}
    return body(BudgetChange, **given) if given else None
