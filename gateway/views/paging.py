"""Pages of a list: the statement for the ids of a page, and what a client needs for the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, bindparam, select, tuple_
from yarl import URL

from contracts.api.paging import Cursor
from gateway.views.reader import Row

EVERYTHING = -1
"""The limit of a list that is not limited, in SQL."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list a client asks for: after a cursor, or after so many rows."""

    limit: int = EVERYTHING
    offset: int = 0
    cursor: str | None = None
    """Empty: the first page by cursor."""

    @property
    def by_cursor(self) -> bool:
        """Whether the client pages by cursor."""
        return self.cursor is not None

    @property
    def given(self) -> dict[str, Any]:
        """The parameters of the statement for the page."""
        given: dict[str, Any] = {"limit": self.limit, "offset": self.offset}
        if self.cursor:
            given["created_at"], given["last_id"] = Cursor.of(self.cursor)
        return given

    def next(self, rows: Sequence[Row], prefix: str = "") -> str | None:
        """The cursor of the page after `rows`; None after the last page."""
        if not self.by_cursor or self.limit == EVERYTHING or len(rows) < self.limit:
            return None
        last = rows[-1]
        return Cursor(last[f"{prefix}created_at"], last[f"{prefix}id"]).text


def page_of(
    order: Column[int], id_: Column[str], wanted: Sequence[ColumnElement[bool]], *, after: bool
) -> Select[Any]:
    """The ids of one page, the largest `order` first; `after`: only rows after the cursor."""
    rows = select(id_).where(*wanted).order_by(order.desc(), id_.desc())
    if after:
        rows = rows.where(tuple_(order, id_) < tuple_(bindparam("created_at"), bindparam("last_id")))
    return rows.limit(bindparam("limit")).offset(bindparam("offset"))


def in_order(rows: Sequence[Row], order: str, id_: str) -> list[Row]:
    """The rows of one page in the order of its ids."""
    return sorted(rows, key=lambda row: (row[order], row[id_]), reverse=True)


def link(url: URL, cursor: str | None) -> dict[str, str]:
    """The header that names the next page."""
    if cursor is None:
        return {}
    return {"Link": f'<{url.update_query(cursor=cursor).relative()}>; rel="next"'}
