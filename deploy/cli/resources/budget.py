"""`async-agent budget`."""

from __future__ import annotations

from contracts.api.shared_budgets import SharedBudgets
from contracts.client import Client
from deploy.cli.resources.command import command, group

app = group(__name__)
app.callback()(lambda: None)  # without a callback, typer turns a single command into the whole app


@command(app, "show")
async def show(client: Client) -> SharedBudgets:
    """Show what models may cost per day and month, and what they have cost.

    With a key that has the scope admin: of all keys, too.
    """
    return await client.budget.get()
