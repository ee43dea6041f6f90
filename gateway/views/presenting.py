"""Helpers for presenters, which make the JSON of answers from rows of the views.

Answers are plain dictionaries, because models would cost more than the reading of the rows. The models in
`contracts.api` describe the same; tests compare the two.
"""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import JSON, Label, Table, Text, cast

from contracts.api.fields import iso
from contracts.core.event import Json

JsonRow = dict[str, Json]
"""A row as the API shows it."""


def columns(table: Table, prefix: str = "") -> list[Label[Any]]:
    """Every column of `table`; JSON as stored text, which goes into answers unparsed."""
    return [
        (cast(column, Text) if isinstance(column.type, JSON) else column).label(prefix + column.name)
        for column in table.columns
    ]


def pagination(limit: int, offset: int, count: int, total: int) -> JsonRow:
    """Which part of a list a page by offset is."""
    return {"limit": limit, "offset": offset, "count": count, "total": total}


def json_of(stored: str | None) -> Json:
    """A value that the views hold as JSON, which goes into an answer unparsed."""
    return None if stored is None else orjson.Fragment(stored)


def time_of(ms: int | None) -> str | None:
    """Milliseconds since 1970 as ISO 8601."""
    return None if ms is None else iso(ms)
