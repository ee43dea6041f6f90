"""Functions that read one field of a provider's answer. An invalid value is None or empty; nothing is raised.

So an invalid field never makes the rest of an answer unreadable.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

from contracts.core.event import Json
from contracts.core.money import is_amount

_TEXT_KEYS = ("text", "content", "output_text", "value", "summary")
"""Keys of the text in a content part."""
_REASONING_TYPES = frozenset({"thinking", "reasoning", "reasoning_text", "redacted_thinking"})
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|\Z))")
_MAX_DEPTH = 16
"""Maximum nesting of lists and objects that is searched for text."""


def as_object(value: Json) -> Mapping[str, Json]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Json) -> list[Json]:
    """`value` if it is a list; the values of an object whose keys are numbers (`{"0": …}`); else empty."""
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping) and value and all(str(key).isdecimal() for key in value):
        return list(value.values())
    return []


def as_name(value: Json) -> str | None:
    """A name or an id. A number is converted to text; an object stands for its `id` or `name`."""
    match value:
        case str():
            return value.strip() or None
        case bool() | None:
            return None
        case int() | float():
            return str(value)
        case {"id": str(name)} | {"name": str(name)}:
            return name.strip() or None
    return None


def as_count(value: Json) -> int | None:
    """A number of tokens: a number, or a number as text. It is rounded."""
    amount = as_amount(value)
    return None if amount is None or abs(amount) > 10**18 else round(amount)


def as_amount(value: Json) -> Decimal | None:
    """A finite number, or a finite number as text, such as `1,024` or `$0.02`; not one of many digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    try:
        amount = Decimal(_THOUSANDS.sub("", str(value).strip().removeprefix("$")))
    except (InvalidOperation, ValueError):
        return None
    return amount if is_amount(amount) else None


def as_text(content: Json) -> str:
    """The text of a content: a text, a part, or a list of these. Parts with reasoning are left out.

    An object that is not a part is an answer that the server has parsed: it is converted to JSON again.
    """
    match content:
        case str():
            return content
        case None | bool():
            return ""
        case int() | float():
            return str(content)
        case list():
            return "".join(_part_text(part) for part in content)
        case Mapping():
            return _part_text(content) or ("" if "type" in content else _as_json(content))
    return ""


def reasoning_in(content: Json) -> str:
    """The text of the reasoning parts of a content."""
    parts = content if isinstance(content, list) else [content]
    return "\n".join(filter(None, (any_text(part) for part in parts if _is_reasoning(part))))


def any_text(value: Json) -> str:
    """All text in a value of unknown structure, such as a list of reasoning details."""
    return "\n".join(_texts(value, _MAX_DEPTH)).strip()


def _part_text(part: Json) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or _is_reasoning(part):
        return ""
    for key in _TEXT_KEYS:
        value = part.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, Mapping) and isinstance(value.get("value"), str):
            return str(value["value"])
    return ""


def _is_reasoning(part: Json) -> bool:
    return isinstance(part, Mapping) and (
        part.get("type") in _REASONING_TYPES
        if isinstance(part.get("type"), str)
        else "thinking" in part and "text" not in part
    )


def _texts(value: Json, depth: int) -> Iterator[str]:
    if depth == 0:
        return
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _texts(item, depth - 1)
        case Mapping():
            for key in ("thinking", "reasoning", *_TEXT_KEYS):
                yield from _texts(value.get(key), depth - 1)


def _as_json(value: Json) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return ""
