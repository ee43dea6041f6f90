"""Helpers for presenters. Presenters convert rows of the views to the JSON of answers.

Presenters return plain dictionaries, because creating models takes longer than reading the rows. The models
in `contracts.api` describe the dictionaries. Tests compare the two.
"""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import JSON, Label, Table, Text, cast

from contracts.api.fields import iso
from contracts.core.event import Json

JsonRow = dict[str, Json]
"""A row as JSON of the API."""


def columns(table: Table, prefix: str = "", *, without: frozenset[str] = frozenset()) -> list[Label[Any]]:
    """Return the columns of `table`, except those named in `without`.

    JSON columns are text, which answers include without parsing it.
    """
    return [
        (cast(column, Text) if isinstance(column.type, JSON) else column).label(prefix + column.name)
        for column in table.columns
        if column.name not in without
    ]


def pagination(limit: int, offset: int, count: int, total: int) -> JsonRow:
    """Return the pagination of a page by offset."""
    return {"limit": limit, "offset": offset, "count": count, "total": total}


def pagination_by_cursor(limit: int, count: int, following: str | None) -> JsonRow:
    """Return the pagination of a page by cursor. `following` is the cursor of the next page."""
    return {"limit": limit, "count": count, "nextCursor": following}


def json_of(stored: str | None) -> Json:
    """Wrap stored JSON so that an answer includes it without parsing it."""
    return None if stored is None else orjson.Fragment(stored)


def time_of(ms: int | None) -> str | None:
    """Format milliseconds since 1970 as ISO 8601."""
    return None if ms is None else iso(ms)
