"""`async-agent costs`."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.api.costs import CostSummary, GroupBy
from contracts.client import Client
from deploy.cli.resources.command import command, group

app = group(__name__)


@command(app, "show")
async def show(
    client: Client,
    since: Annotated[
        str | None, typer.Option("--from", help="Start: ISO 8601, or `7d`, `2w`, `1m` ago. Default: 30d.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="End, in the same forms as --from. Default: now.")
    ] = None,
    by: Annotated[GroupBy, typer.Option(help="Sum by day, week or month.")] = "day",
) -> CostSummary:
    """Show costs by period. For one plan or execution, use `dags costs` or `executions costs`."""
    return await client.costs(since=since, until=until, by=by)
