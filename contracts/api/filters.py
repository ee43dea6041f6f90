"""Filters of lists."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from contracts.api.fields import Query
from contracts.api.search import SearchText
from contracts.core.money import pico_usd

_USD = re.compile(r"\d{1,6}(\.\d{1,12})?", re.ASCII)
"""Below one million: SQLite has no integer for ten million dollars in units of 10⁻¹² dollars."""


def _pico(text: str) -> int:
    if not _USD.fullmatch(text):
        raise ValueError(
            f"{text[:40]!r} is not an amount of US dollars: write a number below 1000000 such as 0.25"
        )
    return pico_usd(text) or 0


MinCost = Annotated[
    int, BeforeValidator(_pico), WithJsonSchema({"type": "string", "pattern": f"^{_USD.pattern}$"})
]
"""An amount of US dollars as decimal text, in Python 10⁻¹² US dollars."""

Name = Annotated[str, Field(min_length=1, max_length=200)]


class TextAndTime(Query):
    """Filters of every list that can be searched."""

    q: SearchText | None = None
    """Only rows that contain all these words, in any order, case and accent, in their goal, title, error,
    id or the beginning of their report. The last one may be the beginning of a word."""
    from_: str | None = Field(default=None, alias="from")
    """Only rows created at this time or later: an ISO 8601 date or date-time, or `<n>d`, `<n>w`, `<n>m`
    before now. A time without an offset is in UTC."""
    to: str | None = None
    """Only rows created at this time or earlier, in the same forms as `from`. A date means the start
    of that day."""


class ByToolAndCost(TextAndTime):
    """Filters of lists of runs."""

    tool: Name | None = None
    """Only runs that have a step of this tool."""
    min_cost_usd: MinCost | None = None
    """Only runs that cost at least this many US dollars."""
