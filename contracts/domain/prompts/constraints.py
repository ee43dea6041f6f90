"""The constraints of a goal as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from contracts.core.event import Json


def as_lines(constraints: Mapping[str, Json]) -> str:
    """One line per constraint, `- name: value`. Nested values are indented, lists are joined by commas."""
    return "\n".join(_lines(constraints, depth=0))


def _lines(value: Json, depth: int) -> Iterator[str]:
    indent = "  " * depth
    items = value.items() if isinstance(value, Mapping) else ((None, item) for item in value)
    for name, item in items:
        head = f"{indent}- " if name is None else f"{indent}- {name}:"
        if isinstance(item, Mapping) or (isinstance(item, list | tuple) and not _is_flat(item)):
            yield head.rstrip()
            yield from _lines(item, depth + 1)
        else:
            yield f"{head.rstrip()} {_text(item)}"


def _is_flat(items: Json) -> bool:
    return not any(isinstance(item, Mapping | list | tuple) for item in items)


def _text(value: Json) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(_text, value)) or "none"
        case _:
            return str(value)
