"""Filters of lists."""

from __future__ import annotations

from typing import TypedDict

from contracts.core.event import Json

NAMES = {"text": "q", "since": "from", "until": "to", "min_cost_usd": "minCostUsd"}
"""Names of filters in the API, if they differ."""


class Filters(TypedDict, total=False):
    """Filters and paging that the lists of executions, runs, goals and DAGs share. None: no filter."""

    status: str | None
    agent: str | None
    """Name or id of an agent."""
    text: str | None
    """Words that occur in the goal, title, error, id or the beginning of the report."""
    since: str | None
    """Created at this time or later: ISO 8601, or `<n>d`, `<n>w`, `<n>m` before now."""
    until: str | None
    """Created at this time or earlier."""
    tool: str | None
    """Name of a tool that a step uses."""
    min_cost_usd: str | None
    """Minimum cost in US dollars, as a decimal number."""
    limit: int | None
    offset: int | None
    cursor: str | None
    """Empty for the first page, then the cursor of the page before. With a cursor, the newest come first."""


def query(filters: Filters) -> dict[str, Json]:
    """The parameters of a request with these filters."""
    return {NAMES.get(name, name): value for name, value in filters.items()}
