"""Parses JSON from clients and models. Each integer is kept exactly or refused with its path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import orjson

from contracts.core.event import Json

LEAST_INTEGER, MOST_INTEGER = -(2**63), 2**64 - 1
"""The integers that orjson keeps exactly. It silently converts integers outside this range to floats."""

_LONG_NUMBER = re.compile(rb"\d{19}")

Path = tuple[str | int, ...]


class TooLargeInteger(ValueError):
    """An integer does not fit into 64 bits."""

    def __init__(self, path: Path, value: int) -> None:
        self.path = path
        shown = str(value) if abs(value) < 10**60 else f"with {len(str(abs(value)))} digits"
        self.problem = f"the integer {shown} does not fit into 64 bits: send it as text, in quotes"
        super().__init__(f"{'.'.join(map(str, path)) or 'the value'}: {self.problem}")


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


def _require_exact(raw: bytes) -> None:
    try:
        value = json.loads(raw)
    except RecursionError:
        raise ValueError("it is nested too deeply to be read exactly") from None
    for path, number in _integers(value, ()):
        if not LEAST_INTEGER <= number <= MOST_INTEGER:
            raise TooLargeInteger(path, number)


def _integers(value: Json, path: Path) -> Iterator[tuple[Path, int]]:
    """Every integer in a value with its path. Not recursive: deep nesting cannot exhaust the stack."""
    waiting = [(path, value)]
    while waiting:
        path, value = waiting.pop()
        match value:
            case bool():
                pass
            case int():
                yield path, value
            case dict():
                waiting += [((*path, key), item) for key, item in value.items()]
            case list():
                waiting += [((*path, number), item) for number, item in enumerate(value)]
