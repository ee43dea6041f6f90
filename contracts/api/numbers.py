"""Numbers in bodies and queries, read as JavaScript clients expect: 5.0 is 5, and query text is a number."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from contracts.core.event import Json

MOST_TOKENS = 10_000_000
LARGEST_SEED = 2**63 - 1

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_OTHER_BASE = re.compile(r"0(x[\da-f]+|o[0-7]+|b[01]+)", re.ASCII | re.IGNORECASE)
_LONGEST = 400
"""Maximum number of digits that are read as an exact integer."""


def _integral(value: Json) -> Json:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _coerced(value: Json) -> Json:
    """Convert query text as JavaScript's `Number()` does: empty text is 0, other non-numbers are NaN."""
    if not isinstance(value, str):
        return math.nan if isinstance(value, list) else value
    text = value.strip()
    if _OTHER_BASE.fullmatch(text):
        return int(text[:_LONGEST], 0)
    if text.lstrip("+-") == "Infinity":
        return math.inf
    if text and not _DECIMAL.fullmatch(text):
        return math.nan
    is_digits = text.isdecimal() and len(text) <= _LONGEST
    return int(text) if is_digits else _integral(float(text or 0))


def _whole(value: Json, most: int) -> Json:
    """Round `value` up to an integer and clamp it to -`most` … `most`."""
    if isinstance(value, float) and math.isfinite(value):
        value = math.ceil(value)
    return max(-most, min(value, most)) if type(value) is int else value


INTEGRAL = BeforeValidator(_integral)
"""Accepts 5.0 as 5. For integers of a body; place it after the bounds."""

COERCED = BeforeValidator(_coerced)
"""Converts text as JavaScript does. For integers of a query; place it after the bounds."""

MaxTokens = Annotated[
    int,
    Field(ge=1),
    BeforeValidator(lambda value: _whole(value, MOST_TOKENS)),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
"""Maximum length of an answer in tokens: any number above 0, clamped to MOST_TOKENS."""

Seed = Annotated[
    int, BeforeValidator(lambda value: _whole(value, LARGEST_SEED)), WithJsonSchema({"type": "number"})
]
"""Any number, rounded and clamped to an integer that providers accept."""
