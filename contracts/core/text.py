"""Cleaning, truncating and splitting text."""

from __future__ import annotations

import re

from contracts.core.event import Json

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Replace each NUL and lone surrogate in `text` by U+FFFD. UTF-8 or databases do not accept them."""
    return _UNSTORABLE.sub("\ufffd", text)


def clean_json(value: Json) -> Json:
    """Apply `clean_text` to every string and key in `value`. Tuples become lists."""
    match value:
        case str():
            return clean_text(value)
        case dict():
            return {clean_json(key): clean_json(item) for key, item in value.items()}
        case list() | tuple():
            return [clean_json(item) for item in value]
        case _:
            return value


def cut(text: str, limit: int) -> str:
    """Return `text`, truncated to `limit` characters. A note at its end says how many were omitted."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n… ({len(text) - limit} more characters left out)"


def by_commas(value: Json) -> Json:
    """Split a string at commas; empty parts are dropped. Other values are returned unchanged."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())
