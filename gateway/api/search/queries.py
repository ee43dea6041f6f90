"""Queries of the full-text indexes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    Text,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    select,
)

from contracts.api.fields import iso
from contracts.api.search import HitKind, SearchPosition, SearchQuery
from contracts.views import (
    EXECUTION_STATUS,
    GOAL_RUN_STATUS,
    IS_GOAL_RUN,
    dags,
    dags_text,
    goals,
    goals_text,
    runs,
    runs_text,
)
from gateway.gateway import Gateway
from gateway.views.filtering import matches, words_of
from gateway.views.presenting import JsonRow
from gateway.views.reader import Row

SNIPPET_WORDS = 24
TITLE_CHARS = 200

PATHS: dict[HitKind, str] = {
    "run": "/api/v1/runs/",
    "execution": "/api/v1/dag-executions/",
    "goal": "/api/v1/goals/",
    "dag": "/api/v1/dags/",
}


@dataclass(frozen=True, eq=False, slots=True)
class Source:
    """A full-text index and the table of its rows. Hits of one commit are in the order of SOURCES."""

    kinds: frozenset[HitKind]
    statement: Select[Any]


def _source(
    kinds: Iterable[HitKind],
    table: Table,
    index: Table,
    *,
    kind: ColumnElement[str],
    title: ColumnElement[str],
    status: ColumnElement[str],
) -> Source:
    """Return a source whose statement has the parameters `q`, `kinds`, `before` and `limit`."""
    snippet = func.snippet(literal_column(index.name), -1, "", "", "…", SNIPPET_WORDS)
    columns = (
        table.c.first_seq.label("seq"),
        table.c.id.label("id"),
        kind.label("kind"),
        func.substr(title, 1, TITLE_CHARS).label("title"),
        snippet.label("snippet"),
        status.label("status"),
        table.c.created_at.label("at"),
    )
    statement = (
        select(*columns)
        .select_from(index.join(table, table.c.first_seq == index.c.rowid))
        .where(matches(index), index.c.rowid < bindparam("before"))
        .where(kind.in_(bindparam("kinds", expanding=True)))
        .order_by(index.c.rowid.desc())
        .limit(bindparam("limit"))
    )
    return Source(frozenset(kinds), statement)


SOURCES = (
    _source(
        ("run", "execution"),
        runs,
        runs_text,
        kind=case((IS_GOAL_RUN, literal("run", Text)), else_=literal("execution", Text)),
        title=func.coalesce(runs.c.dag_title, runs.c.request),
        status=case((IS_GOAL_RUN, GOAL_RUN_STATUS), else_=EXECUTION_STATUS),
    ),
    _source(
        ("goal",),
        goals,
        goals_text,
        kind=literal("goal", Text),
        title=goals.c.objective,
        status=goals.c.status,
    ),
    _source(
        ("dag",),
        dags,
        dags_text,
        kind=literal("dag", Text),
        title=func.coalesce(dags.c.dag_title, dags.c.goal_text),
        status=dags.c.status,
    ),
)


async def found(gateway: Gateway, query: SearchQuery) -> tuple[list[JsonRow], str | None]:
    """Return a page of hits, newest first, and the cursor of the next page.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    after = SearchPosition.of(query.cursor) if query.cursor else None
    wanted = {"q": words_of(query.q), "kinds": query.kind, "limit": query.limit + 1}
    rows: list[tuple[SearchPosition, Row]] = []
    async with gateway.views.snapshot(long=True) as reader:
        for number, source in enumerate(SOURCES):
            if not source.kinds.isdisjoint(query.kind):
                more = await reader.all(source.statement, **wanted, before=_before(number, after))
                rows += [(SearchPosition(row["seq"], number), row) for row in more]
    page = sorted(rows, key=_newest_first)[: query.limit]
    cursor = page[-1][0].text if len(rows) > query.limit else None
    return [_hit(row) for _, row in page], cursor


def _before(number: int, after: SearchPosition | None) -> int:
    """Return the position in the log before which the hits of source `number` come after `after`."""
    if after is None:
        return 2**62
    return after.seq + (number > after.kind)


def _newest_first(found: tuple[SearchPosition, Row]) -> tuple[int, int]:
    position, _ = found
    return -position.seq, position.kind


def _hit(row: Row) -> JsonRow:
    return {
        "kind": row["kind"],
        "id": row["id"],
        "title": row["title"],
        "snippet": row["snippet"],
        "status": row["status"],
        "at": iso(row["at"]),
        "url": PATHS[row["kind"]] + row["id"],
    }
