"""Numbers as clients in JavaScript send them, where 5.0 is 5 and the text of a query becomes a number."""

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
"""Characters of a number that is worth reading exactly."""


def _integral(value: Json) -> Json:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _coerced(value: Json) -> Json:
    """The text of a query as `Number()` reads it: nothing is 0, what is no number is NaN."""
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
    """A number as the nearest integer that is not less, and not further from 0 than `most`."""
    if isinstance(value, float) and math.isfinite(value):
        value = math.ceil(value)
    return max(-most, min(value, most)) if type(value) is int else value


INTEGRAL = BeforeValidator(_integral)
"""On an integer of a body, after its bounds: 5.0 is 5."""

COERCED = BeforeValidator(_coerced)
"""On an integer of a query, after its bounds: its text becomes a number as in JavaScript."""

MaxTokens = Annotated[
    int,
    Field(ge=1),
    BeforeValidator(lambda value: _whole(value, MOST_TOKENS)),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
"""How long an answer may be: any number above 0; no model has more than MOST_TOKENS to give."""

Seed = Annotated[
    int, BeforeValidator(lambda value: _whole(value, LARGEST_SEED)), WithJsonSchema({"type": "number"})
]
"""Any number, made an integer that providers take."""
