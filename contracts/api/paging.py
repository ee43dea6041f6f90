"""Pages of lists: by offset, or by a cursor. Rows that change between two pages by cursor are not lost."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from contracts.api.fields import Absent, Query, Row
from contracts.api.numbers import COERCED

FURTHEST = 2**31
"""Rows that a page can be asked to skip or hold."""


class Cursor(NamedTuple):
    """The last row of a page: the next page begins after it. Lists are ordered by creation, newest first."""

    created_at: int
    """Milliseconds since 1970."""
    id: str

    @property
    def text(self) -> str:
        """The cursor as clients get it and give it back."""
        return urlsafe_b64encode(f"{self.created_at} {self.id}".encode()).decode().rstrip("=")

    @classmethod
    def of(cls, text: str) -> Cursor:
        """The cursor that a client gave back.

        Raises:
            ValueError: it is not one that an answer had.
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


class Page(Query):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=100), COERCED] = 50
    offset: Annotated[int, Field(ge=0, le=FURTHEST), COERCED] = 0


class ByCursor(Query):
    """A list that can be paged by cursor, too."""

    cursor: Annotated[str, AfterValidator(_checked)] | None = None
    """Page by cursor, newest first: empty for the first page, then the `nextCursor` of the page before, which
    the header `Link` has, too. Not together with `offset`."""

    @model_validator(mode="after")
    def _no_offset(self) -> Self:
        if {"cursor", "offset"} <= self.model_fields_set:
            raise ValueError("give `cursor` or `offset`, not both")
        return self


class Pagination(Row):
    """The part of a list that a page is. Pages by cursor have `nextCursor`, not `offset` and `total`."""

    limit: int
    offset: Absent[int] = None
    count: int
    """Rows on this page."""
    total: Absent[int] = None
    """Rows on all pages."""
    next_cursor: Absent[str | None] = None
    """Where the next page begins; null on the last page."""
