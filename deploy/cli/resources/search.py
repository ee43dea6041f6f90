"""`async-agent search`."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.api.search import HitList
from contracts.client import Client
from deploy.cli.options import Limit
from deploy.cli.resources.command import command, group

app = group(__name__)


@command(app, "find")
async def find(
    client: Client,
    text: Annotated[
        str, typer.Argument(help="Words to find, all of them. The last may be the beginning of a word.")
    ],
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Show only this kind: run, execution, goal or dag; repeat for more."),
    ] = None,
    limit: Limit = None,
    cursor: Annotated[str | None, typer.Option(help="`nextCursor` of the page before; see --json.")] = None,
) -> HitList:
    """Search goals, titles, errors, ids and the beginning of reports. The newest come first."""
    return await client.search(text, kinds=tuple(kind or ()), limit=limit, cursor=cursor)
