"""Text that every store takes: no NUL, no lone surrogate. And text that is too long for its reader."""

from __future__ import annotations

import math
import re

from contracts.core.event import Json

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str) -> str:
    """`text` with each NUL and lone surrogate, which UTF-8 or a database refuses, replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def clean_json(value: Json) -> Json:
    """`value` with every string in it cleaned, keys too; tuples become lists."""
    match value:
        case str():
            return clean_text(value)
        case dict():
            return {clean_json(key): clean_json(item) for key, item in value.items()}
        case list() | tuple():
            return [clean_json(item) for item in value]
        case _:
            return value


def require_finite(value: Json) -> None:
    """Raises ValueError where `value` holds NaN or an infinity: JSON has neither, and orjson writes null."""
    left = [value]
    while left:
        match left.pop():
            case float() as number if not math.isfinite(number):
                raise ValueError(f"{number} is not a number that JSON has: use null or a text")
            case dict() as items:
                left.extend(items.values())
            case list() as items:
                left.extend(items)


def cut(text: str, limit: int) -> str:
    """`text`, or its first `limit` characters with a note of how many were left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n… ({len(text) - limit} more characters left out)"


def by_commas(value: Json) -> Json:
    """The parts of a text that commas separate, without the empty ones; anything else as it is."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())
