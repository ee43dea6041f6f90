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
        str | None, typer.Option("--from", help="ISO 8601, or `7d`, `2w`, `1m` before now. Default: 30d.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="As --from. Default: now.")] = None,
    by: GroupBy = "day",
) -> CostSummary:
    """What was spent on plans and their executions; those of one are under `dags` and `executions`."""
    return await client.costs(since=since, until=until, by=by)
