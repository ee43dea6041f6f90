"""Parses JSON from clients and models. Each integer is kept exactly or refused with its path."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator

import orjson

from contracts.core.event import Json

LEAST_INTEGER, MOST_INTEGER = -(2**63), 2**64 - 1
"""The integers that orjson keeps exactly. It silently converts integers outside this range to floats."""

_LONG_NUMBER = re.compile(rb"\d{19}")

MAX_DEPTH = 100
"""Maximum nesting of objects and lists that we store. Encoders fail at 255, and events add some levels."""

Path = tuple[str | int, ...]


class TooLargeInteger(ValueError):
    """An integer does not fit into 64 bits."""

    def __init__(self, path: Path, value: int) -> None:
        self.path = path
        shown = str(value) if abs(value) < 10**60 else f"with {len(str(abs(value)))} digits"
        self.problem = f"the integer {shown} does not fit into 64 bits: send it as text, in quotes"
        super().__init__(f"{_at(path)}: {self.problem}")


def parse_json(raw: bytes) -> Json:
    """Parse `raw`.

    Raises:
        TooLargeInteger: an integer does not fit into 64 bits.
        ValueError: it is not JSON.
    """
    value = orjson.loads(raw)
    if _LONG_NUMBER.search(raw):
        _require_exact(raw)
    return value


def require_storable(value: Json) -> None:
    """Check that JSON can hold every number in `value` exactly.

    Raises:
        TooLargeInteger: an integer does not fit into 64 bits.
        ValueError: a number is NaN or infinite, which orjson writes as null.
    """
    for path, number in _numbers(value):
        if isinstance(number, float):
            if not math.isfinite(number):
                raise ValueError(f"{_at(path)}: {number} is not a JSON number: use null or a string")
        elif not LEAST_INTEGER <= number <= MOST_INTEGER:
            raise TooLargeInteger(path, number)


def depth(value: Json) -> int:
    """Return how deeply lists and objects are nested. It does not recurse, so any depth is safe."""
    found, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list | tuple)]:
        found += 1
        level = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
    return found


def _require_exact(raw: bytes) -> None:
    try:
        value = json.loads(raw)
    except RecursionError:
        raise ValueError("it is nested too deeply to be read exactly") from None
    for path, number in _numbers(value):
        if isinstance(number, int) and not LEAST_INTEGER <= number <= MOST_INTEGER:
            raise TooLargeInteger(path, number)


def _numbers(value: Json) -> Iterator[tuple[Path, int | float]]:
    """Every number in a value with its path. Not recursive: deep nesting cannot exhaust the stack."""
    waiting: list[tuple[Path, Json]] = [((), value)]
    while waiting:
        path, value = waiting.pop()
        match value:
            case bool():
                pass
            case int() | float():
                yield path, value
            case dict():
                waiting += [((*path, key), item) for key, item in value.items()]
            case list() | tuple():
                waiting += [((*path, number), item) for number, item in enumerate(value)]


def _at(path: Path) -> str:
    return ".".join(map(str, path)) or "the value"
