"""Paging of lists by offset or by cursor. Paging by cursor does not lose rows that change between pages."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from contracts.api.fields import Absent, Query, Row
from contracts.api.numbers import COERCED

FURTHEST = 2**31
"""Largest allowed `limit` and `offset`."""


class Cursor(NamedTuple):
    """The last row of a page. The next page starts after it. Lists are ordered by creation, newest first."""

    created_at: int
    """Milliseconds since 1970."""
    id: str

    @property
    def text(self) -> str:
        """The cursor as text, as clients receive and send it."""
        return urlsafe_b64encode(f"{self.created_at} {self.id}".encode()).decode().rstrip("=")

    @classmethod
    def of(cls, text: str) -> Cursor:
        """Parse a cursor.

        Raises:
            ValueError: `text` is not a cursor.
        """
        try:
            created_at, _, id_ = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
            return cls(min(int(created_at), 2**62), id_)
        except ValueError:
            raise ValueError(
                "not a cursor: give the `nextCursor` of an answer, or nothing to begin"
            ) from None


def _checked(text: str) -> str:
    if text:
        Cursor.of(text)
    return text


CursorText = Annotated[str, AfterValidator(_checked)]
"""The text of a cursor, or nothing for the first page."""


class Page(Query):
    """Which part of a list to return."""

    limit: Annotated[int, Field(ge=1, le=100), COERCED] = 50
    offset: Annotated[int, Field(ge=0, le=FURTHEST), COERCED] = 0


class ByCursor(Query):
    """A list that also supports paging by cursor."""

    cursor: CursorText | None = None
    """Page by cursor, newest first. Send an empty cursor for the first page, then the `nextCursor` of the
    previous page, which is also in the header `Link`. Cannot be combined with `offset`."""

    @model_validator(mode="after")
    def _no_offset(self) -> Self:
        if {"cursor", "offset"} <= self.model_fields_set:
            raise ValueError("give `cursor` or `offset`, not both")
        return self


class Pagination(Row):
    """Position of a page in its list. Pages by cursor have `nextCursor` instead of `offset` and `total`."""

    limit: int
    offset: Absent[int] = None
    count: int
    """Number of rows on this page."""
    total: Absent[int] = None
    """Number of rows on all pages."""
    next_cursor: Absent[str | None] = None
    """Cursor of the next page. Null on the last page."""
