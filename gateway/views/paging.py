"""Paging of lists: statements for a page, and the cursor of the next page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, bindparam, func, select, tuple_
from yarl import URL

from contracts.api.paging import Cursor
from gateway.views.reader import Row

EVERYTHING = -1
"""The SQL limit that means no limit."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list to return: the rows after a cursor or after an offset."""

    limit: int = EVERYTHING
    offset: int = 0
    cursor: str | None = None
    """Cursor of the page. An empty cursor means the first page."""

    @property
    def by_cursor(self) -> bool:
        """Whether the client pages by cursor."""
        return self.cursor is not None

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the statement for the page."""
        parameters: dict[str, Any] = {"limit": self.limit, "offset": self.offset}
        if self.cursor:
            parameters["created_at"], parameters["last_id"] = Cursor.of(self.cursor)
        return parameters

    def next(self, rows: Sequence[Row], order: str = "created_at", id_: str = "id") -> str | None:
        """Return the cursor of the page after `rows`, or None after the last page.

        `order` and `id_` are the columns by which the list is ordered.
        """
        if not self.by_cursor or self.limit == EVERYTHING or len(rows) < self.limit:
            return None
        last = rows[-1]
        return Cursor(last[order], last[id_]).text


def page_of(
    order: Column[int], id_: Column[str], wanted: Sequence[ColumnElement[bool]], *, after: bool
) -> Select[Any]:
    """Return a statement for the ids of one page, largest `order` first. `after` starts after the cursor."""
    rows = select(id_).where(*wanted).order_by(order.desc(), id_.desc())
    if after:
        rows = rows.where(tuple_(order, id_) < tuple_(bindparam("created_at"), bindparam("last_id")))
    return rows.limit(bindparam("limit")).offset(bindparam("offset"))


def number_of(page: Select[Any]) -> Select[Any]:
    """Return a statement for the number of rows on all pages like `page`, which is not one after a cursor.

    Their limit keeps SQLite in the order of the list, so it tests them in the index of the list.
    """
    return select(func.count()).select_from(page.limit(EVERYTHING).offset(None).subquery())


def in_order(rows: Sequence[Row], order: str, id_: str) -> list[Row]:
    """Sort the rows of one page."""
    return sorted(rows, key=lambda row: (row[order], row[id_]), reverse=True)


def link(url: URL, cursor: str | None) -> dict[str, str]:
    """Return the header `Link` with the URL of the next page."""
    if cursor is None:
        return {}
    return {"Link": f'<{url.update_query(cursor=cursor).relative()}>; rel="next"'}
