"""Full-text search over HTTP."""

from __future__ import annotations

import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from contracts.api.fields import Query, Row, Timestamp
from contracts.api.numbers import COERCED
from contracts.core.text import by_commas

HitKind = Literal["dag", "execution", "goal", "run"]

LONGEST_TEXT = 500
MOST_WORDS = 32


WORD_CHARACTERS = ("L", "N", "So", "Co")
"""Unicode categories of the characters of words, as in the full-text indexes."""


def _searchable(text: str) -> str:
    count = len(text.split())
    if not any(unicodedata.category(letter).startswith(WORD_CHARACTERS) for letter in text):
        raise ValueError("String must contain a letter, a digit or an emoji")
    if count > MOST_WORDS:
        raise ValueError(f"String must contain at most {MOST_WORDS} words; {count} were given")
    return text


SearchText = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_searchable)]
"""Words to find, all of them, in any order, case and accent. The last one may be the beginning of a word."""


class SearchPosition(NamedTuple):
    """The last hit of a page. The next page starts after it."""

    seq: int
    """Position in the log of the first commit of the hit."""
    kind: int
    """Number of the full-text index: hits with the same `seq` are in the order of their indexes."""

    @property
    def text(self) -> str:
        """The cursor as text, as clients receive and send it."""
        return urlsafe_b64encode(f"{self.seq}.{self.kind}".encode()).decode().rstrip("=")

    @classmethod
    def of(cls, text: str) -> SearchPosition:
        """Parse a cursor.

        Raises:
            ValueError: `text` is not a cursor of a search.
        """
        try:
            seq, _, kind = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(".")
            return cls(min(int(seq), 2**62), int(kind))
        except ValueError:
            raise ValueError("not a cursor: give the `nextCursor` of an answer of the same search") from None


def _checked(text: str) -> str:
    if text:
        SearchPosition.of(text)
    return text


class SearchQuery(Query):
    """What to search for."""

    q: SearchText
    """Words to find, all of them, in any order, case and accent. The last one may be the beginning of a
    word."""
    kind: Annotated[tuple[HitKind, ...], BeforeValidator(by_commas)] = ("run", "execution", "goal", "dag")
    """Only hits of these kinds, separated by commas."""
    limit: Annotated[int, Field(ge=1, le=100), COERCED] = 20
    cursor: Annotated[str, AfterValidator(_checked)] | None = None
    """The `nextCursor` of the previous page."""


class Hit(Row):
    """A run, execution, goal or DAG that contains all the words."""

    kind: HitKind
    """`run`: a run of a goal. `execution`: an execution of a plan without a goal."""
    id: str
    title: str
    snippet: str
    """The part of its text around the first words found."""
    status: str
    """The status in the list of its kind."""
    at: Timestamp
    """When it was created."""
    url: str
    """Path of the resource in the API."""


class HitList(Row):
    """One page of hits, newest first."""

    hits: list[Hit]
    next_cursor: str | None
    """Cursor of the next page. Null on the last page."""
