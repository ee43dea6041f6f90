"""What presenters make answers of rows with. Plain dictionaries: a list of them must cost next to nothing.

The models in `contracts.api` describe the same; the tests hold both to each other.
"""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import JSON, Label, Table, Text, cast

from contracts.api.fields import iso
from contracts.core.event import Json

Shown = dict[str, Json]


def columns(table: Table, prefix: str = "") -> list[Label[Any]]:
    """Every column of `table`, JSON as the text it is stored as, to go into answers unparsed."""
    return [
        (cast(column, Text) if isinstance(column.type, JSON) else column).label(prefix + column.name)
        for column in table.columns
    ]


def pagination(limit: int, offset: int, count: int, total: int) -> Shown:
    """Which part of a list was shown."""
    return {"limit": limit, "offset": offset, "count": count, "total": total}


def json_of(stored: str | None) -> Json:
    """A value that the views hold as JSON, to go into an answer unparsed."""
    return None if stored is None else orjson.Fragment(stored)


def time_of(ms: int | None) -> str | None:
    """Milliseconds since 1970 as ISO 8601."""
    return None if ms is None else iso(ms)
