"""Validation of values by a JSON Schema, with messages that say what to give."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson

from contracts.core.event import Json
from contracts.domain.issues import Path

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

    from contracts.core.foreign_schema import ForeignSchema

_MAX_MESSAGE = 300


def schema_problems(schema: bytes, value: Json) -> Iterator[tuple[Path, str, str]]:
    """The problems of `value` by a schema as JSON text.

    Each is the path in the value, the name of the rule, and a message that says what to give.
    """
    for error in _parsed(schema).errors(value):
        yield tuple(error.absolute_path), str(error.validator), _message(error)


@lru_cache(maxsize=256)
def _parsed(schema: bytes) -> ForeignSchema:
    """A schema as JSON text. Cached, because parsing it takes longer than using it."""
    from jsonschema import FormatChecker  # noqa: PLC0415 - heavy; most processes plan nothing

    from contracts.core.foreign_schema import ForeignSchema  # noqa: PLC0415 - heavy, too

    formats = FormatChecker(["email"])
    formats.checks("uri", raises=ValueError)(_is_absolute_url)
    return ForeignSchema(orjson.loads(schema), formats)


def _message(error: ValidationError) -> str:
    python, message = repr(error.instance), error.message
    if not isinstance(error.instance, str) and message.startswith(python):
        message = json.dumps(error.instance, ensure_ascii=False) + message.removeprefix(python)
    message = message if len(message) <= _MAX_MESSAGE else f"…{message[-_MAX_MESSAGE:]}"
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    if not schema:
        return message
    return f"{message}; give {_wanted(schema)}"


def _wanted(schema: Mapping[str, Json]) -> str:
    """The allowed values, in words."""
    if "anyOf" in schema:
        return " or ".join(map(_wanted, schema["anyOf"]))
    if "enum" in schema:
        return f"one of {', '.join(map(repr, schema['enum']))}"
    given = schema.get("type", [])
    types: list[str] = given if isinstance(given, list) else [given]
    named = " or ".join(_TYPES.get(one, one) for one in types)
    kind = _FORMATS.get(schema.get("format", "")) or named or "another value"
    bounds = " and ".join(words.format(schema[key]) for key, words in _BOUNDS.items() if key in schema)
    return f"{kind} {bounds}".strip()


_TYPES = {
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
}
_FORMATS = {
    "uri": "an absolute URL such as https://example.com/page",
    "email": "an e-mail address such as name@example.com",
}
_BOUNDS = {
    "minimum": "of at least {}",
    "maximum": "of at most {}",
    "minLength": "of at least {} character(s)",
    "maxLength": "of at most {} character(s)",
    "minItems": "of at least {} item(s)",
    "maxItems": "of at most {} item(s)",
    "pattern": "that matches {}",
}


def _is_absolute_url(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)
