"""Sorts the ids of steps naturally: numbers by value."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PART = re.compile(r"[0-9]+|[^0-9]+")


def natural_order(ids: Iterable[str]) -> list[str]:
    """The ids sorted so that 2 comes before 10, and numbers before other text."""
    return sorted(ids, key=_key)


def _key(text: str) -> tuple[list[tuple[int, int, str]], str]:
    return [_rank(part) for part in _PART.findall(text)], text


def _rank(part: str) -> tuple[int, int, str]:
    if not part[0].isascii() or not part[0].isdecimal():
        return 1, 0, part
    digits = part.lstrip("0")
    return 0, len(digits), digits
