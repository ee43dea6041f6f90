"""Validation errors as a list of issues in the format of Zod 3, which clients of the API parse.

Every issue has `code`, `path` and `message`; further keys depend on the code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from contracts.core.event import Json
from contracts.core.suggestions import did_you_mean

MOST = 100
"""Maximum number of issues in one answer."""
MOST_EXAMINED = 5_000
"""Maximum number of pydantic errors that are listed: listing more takes seconds and blocks the process."""

MOST_SHOWN = 100
"""Maximum number of characters of a given text that a message repeats."""

UNKNOWN_KEY = "unknown_key"

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """A broken rule of our own, and the path of the field. The message says what to do."""

    path: Path
    message: str

    def as_json(self) -> dict[str, Json]:
        """The issue as the API shows it."""
        return {"code": "custom", "path": list(self.path), "message": self.message}


def issues(error: ValidationError, model: type[BaseModel] | None = None) -> list[dict[str, Json]]:
    """The errors of `error` as issues, at most MOST. `model`: the validated model; its schema gives the types
    of missing fields.
    """
    count = error.error_count()
    if count > MOST_EXAMINED:
        return [Issue((), f"{count} errors are too many to list: send a smaller part first").as_json()]
    schema = _schema_of(model) if model else {}
    found = [_issue(detail, schema) for detail in error.errors(include_url=False)[:MOST]]
    more = [Issue((), f"{count - MOST} more errors are not listed").as_json()] if count > MOST else []
    return found + more


def _issue(detail: ErrorDetails, schema: Mapping[str, Json]) -> dict[str, Json]:
    kind = detail["type"]
    if kind == "missing":
        expected = _expected_at(detail["loc"], schema)
        return _at(detail, "invalid_type", "Required", expected=expected, received="undefined")
    if kind in {"extra_forbidden", UNKNOWN_KEY}:
        return _unrecognized(detail, schema)
    if kind in _TYPES:
        return _invalid_type(detail, _TYPES[kind])
    if kind in _BOUNDS:
        return _out_of_bounds(detail, _BOUNDS[kind])
    if kind in _LENGTHS:
        return _wrong_length(detail, _LENGTHS[kind])
    return _OTHERS.get(kind, _custom)(detail)


def _at(detail: ErrorDetails, code: str, message: str, **details: Json) -> dict[str, Json]:
    return {"code": code, **details, "path": list(detail["loc"]), "message": message}


def unknown_key(key: str, known: Iterable[str]) -> PydanticCustomError:
    """The error to raise in a model validator for an unknown key. `known`: the allowed keys."""
    return PydanticCustomError(UNKNOWN_KEY, "unknown key", {"key": key, "known": tuple(known)})


def _unrecognized(detail: ErrorDetails, schema: Mapping[str, Json]) -> dict[str, Json]:
    if detail["type"] == UNKNOWN_KEY:
        parent, key, known = detail["loc"], detail["ctx"]["key"], detail["ctx"]["known"]
    else:
        parent, key = detail["loc"][:-1], detail["loc"][-1]
        known = _node_at(parent, schema).get("properties", {})
    allowed = f"; known are {', '.join(known)}" if known else ""
    message = f"Unrecognized key(s) in object: '{key}'{did_you_mean(str(key), known) or allowed}"
    return {"code": "unrecognized_keys", "keys": [key], "path": list(parent), "message": message}


_TYPES = {
    "string_type": "string",
    "int_type": "number",
    "int_parsing": "number",
    "int_from_float": "integer",
    "float_type": "number",
    "float_parsing": "number",
    "bool_type": "boolean",
    "list_type": "array",
    "tuple_type": "array",
    "set_type": "array",
    "frozen_set_type": "array",
    "dict_type": "object",
    "mapping_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "none_required": "null",
}


def _invalid_type(detail: ErrorDetails, expected: str) -> dict[str, Json]:
    if detail["type"] == "int_type" and isinstance(detail["input"], float):
        expected = "integer"
    received = "float" if expected == "integer" else _type_name(detail["input"])
    message = f"Expected {expected}, received {received}"
    return _at(detail, "invalid_type", message, expected=expected, received=received)


class _Bound(NamedTuple):
    limit: str
    """Key of the limit in pydantic's context."""
    words: str


_BOUNDS = {
    "greater_than": _Bound("gt", "greater than"),
    "greater_than_equal": _Bound("ge", "greater than or equal to"),
    "less_than": _Bound("lt", "less than"),
    "less_than_equal": _Bound("le", "less than or equal to"),
}


def _out_of_bounds(detail: ErrorDetails, bound: _Bound) -> dict[str, Json]:
    limit = detail["ctx"][bound.limit]
    if isinstance(limit, float) and limit.is_integer():
        limit = int(limit)
    below = bound.limit in {"gt", "ge"}
    return _at(
        detail,
        "too_small" if below else "too_big",
        f"Number must be {bound.words} {limit}",
        **{"minimum" if below else "maximum": limit},
        type="number",
        inclusive=bound.limit in {"ge", "le"},
        exact=False,
    )


class _Length(NamedTuple):
    type: str
    units: str
    short: bool


_LENGTHS = {
    "string_too_short": _Length("string", "character(s)", True),
    "string_too_long": _Length("string", "character(s)", False),
    "too_short": _Length("array", "element(s)", True),
    "too_long": _Length("array", "element(s)", False),
}


def _wrong_length(detail: ErrorDetails, length: _Length) -> dict[str, Json]:
    limit = detail["ctx"]["min_length" if length.short else "max_length"]
    bound = "at least" if length.short else "at most"
    return _at(
        detail,
        "too_small" if length.short else "too_big",
        f"{length.type.capitalize()} must contain {bound} {limit} {length.units}",
        **{"minimum" if length.short else "maximum": limit},
        type=length.type,
        inclusive=True,
        exact=False,
    )


def _invalid_choice(detail: ErrorDetails) -> dict[str, Json]:
    options = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
    choices, received = _choices(options), detail["input"]
    if not isinstance(received, str):
        kind = _type_name(received)
        message = f"Expected {choices}, received {kind}"
        return _at(detail, "invalid_type", message, expected=choices, received=kind)
    hint = did_you_mean(received, options)
    message = f"Invalid enum value. Expected {choices}, received '{received[:100]}'{hint}"
    return _at(detail, "invalid_enum_value", message, received=received, options=options)


def _custom(detail: ErrorDetails) -> dict[str, Json]:
    cause = detail.get("ctx", {}).get("error")
    return _at(detail, "custom", str(cause) if cause else detail["msg"])


def _not_finite(detail: ErrorDetails) -> dict[str, Json]:
    if math.isnan(detail["input"]):
        return _invalid_type(detail, "number")
    return _at(detail, "not_finite", "Number must be finite")


def _string(validation: str, message: str) -> Callable[[ErrorDetails], dict[str, Json]]:
    return lambda detail: _at(detail, "invalid_string", message, validation=validation)


def _shown(value: Json) -> str:
    return repr(value if not isinstance(value, str) or len(value) <= MOST_SHOWN else f"{value[:MOST_SHOWN]}…")


def _wrong_pattern(detail: ErrorDetails) -> dict[str, Json]:
    message = f"Invalid: {_shown(detail['input'])} does not match {detail['ctx']['pattern']}"
    return _at(detail, "invalid_string", message, validation="regex")


def _invalid_time(detail: ErrorDetails) -> dict[str, Json]:
    message = f"Invalid datetime: {_shown(detail['input'])} is not a date and time with a zone; {_TIME_FORM}"
    return _at(detail, "invalid_string", message, validation="datetime")


def _invalid_boolean(detail: ErrorDetails) -> dict[str, Json]:
    issue = _invalid_type(detail, "boolean")
    return {**issue, "message": f"{issue['message']}: send true or false, not {_shown(detail['input'])}"}


_TIME_FORM = "write it as 2027-01-31T12:00:00Z"
_INVALID_URL = "Invalid url: send an absolute http:// or https:// URL"

_OTHERS: dict[str, Callable[[ErrorDetails], dict[str, Json]]] = {
    "literal_error": _invalid_choice,
    "enum": _invalid_choice,
    "string_pattern_mismatch": _wrong_pattern,
    "url_parsing": _string("url", _INVALID_URL),
    "url_scheme": _string("url", _INVALID_URL),
    "bool_parsing": _invalid_boolean,
    "datetime_type": _invalid_time,
    "datetime_parsing": _invalid_time,
    "datetime_from_date_parsing": _invalid_time,
    "timezone_aware": _invalid_time,
    "finite_number": _not_finite,
}


_TYPE_NAMES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "null"),
    (bool, "boolean"),
    ((int, float), "number"),
    (str, "string"),
    ((list, tuple), "array"),
)


def _type_name(value: Json) -> str:
    """The type of a JSON value as JavaScript names it."""
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return next((name for kinds, name in _TYPE_NAMES if isinstance(value, kinds)), "object")


def _choices(options: list[str]) -> str:
    return " | ".join(f"'{option}'" for option in options)


@cache
def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _expected_at(path: Path, schema: Mapping[str, Json]) -> str:
    """The type that `schema` demands at `path`."""
    return _type_in(_node_at(path, schema))


def _node_at(path: Path, schema: Mapping[str, Json]) -> Mapping[str, Json]:
    definitions = schema.get("$defs", {})
    node = _resolved(schema, definitions)
    for key in path:
        node = _resolved(_child(node, key), definitions)
    return node


def _child(node: Mapping[str, Json], key: str | int) -> Mapping[str, Json]:
    child = node.get("items") if isinstance(key, int) else node.get("properties", {}).get(key)
    others = node.get("additionalProperties")
    return child or (others if isinstance(others, dict) else {})


def _resolved(node: Mapping[str, Json], definitions: Mapping[str, Json]) -> Mapping[str, Json]:
    reference = node.get("$ref")
    return definitions[reference.rpartition("/")[2]] if reference else node


def _type_in(node: Mapping[str, Json]) -> str:
    if "anyOf" in node:
        return " | ".join(_type_in(option) for option in node["anyOf"])
    if "enum" in node:
        return _choices(node["enum"])
    kind: str = node.get("type", "unknown")
    return {"integer": "number"}.get(kind, kind)
