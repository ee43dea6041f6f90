"""JSON Schemas that others wrote: models, MCP servers and OpenAPI documents.

Validating by such a schema must not take long or reach anything outside it, whatever schema and value are:

- The work of one validation is limited. `$ref` can repeat a schema exponentially often, or for ever.
- Patterns are matched by RE2, in linear time. Patterns that it does not have, as with look-ahead, are not
  checked. Neither are `unevaluatedProperties` and `unevaluatedItems`.
- References to other documents are not followed.
- `$schema` is ignored: every schema is read as draft 2020-12.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import re2
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from contracts.core.event import Json

MAX_WORK = 200_000
"""Maximum work of one validation. A keyword costs 1 for each value, or more if it takes longer."""
TOO_MUCH_WORK = "checking this takes too much work; use a smaller value, or a simpler schema"
TOO_DEEP = "it is nested too deeply, or refers to itself without end"

Errors = Iterator[ValidationError]
Keyword = Callable[[Any, Any, Any, Any], Errors | None]
"""Checks one keyword. The arguments are the validator, the keyword's value, the instance and the schema."""
Matches = Callable[[str, str], bool]
"""Whether a pattern occurs in a text. A pattern that cannot be checked occurs in every text."""

_STANDARD: Mapping[str, Keyword] = Draft202012Validator.VALIDATORS


class _TooMuchWork(Exception):
    """A validation has done MAX_WORK."""


class ForeignSchema:
    """A schema that values can be validated by."""

    def __init__(self, schema: Json, formats: FormatChecker | None = None) -> None:
        self._work = _Work()
        validator: Any = extend(Draft202012Validator, _keywords(self._work))  # type: ignore[no-untyped-call]
        self._validator = validator(_without_dialects(schema), registry=Registry(), format_checker=formats)

    def errors(self, value: Json) -> list[ValidationError]:
        """The problems of `value`. One of them says so if the validation could not be completed."""
        self._work.left = MAX_WORK
        found: list[ValidationError] = []
        try:
            found.extend(self._validator.iter_errors(value))
        except _TooMuchWork:
            found.append(_incomplete(TOO_MUCH_WORK, value))
        except RecursionError:
            found.append(_incomplete(f"the schema cannot be used: {TOO_DEEP}", value))
        except Unresolvable as error:
            found.append(_incomplete(f"the schema refers to {error.ref[:200]!r}, which is not in it", value))
        return found


def schema_error(schema: Mapping[str, Json]) -> str | None:
    """Why `schema` is not a JSON Schema that values can be validated by; None if it is."""
    try:
        if outside := next(_references_outside(schema), None):
            return f"it refers to {outside[:200]!r}, which is not part of it"
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return str(error.message)
    except RecursionError:
        return TOO_DEEP
    return None


def _incomplete(message: str, value: Json) -> ValidationError:
    return ValidationError(message, validator="work", instance=value, schema={})


@dataclass(slots=True)
class _Work:
    """The work that a validation may still do."""

    left: int = MAX_WORK

    def do(self, work: int) -> None:
        """Count work. Raises _TooMuchWork when it exceeds MAX_WORK."""
        self.left -= work
        if self.left < 0:
            raise _TooMuchWork

    def limited(self, name: str, check: Keyword) -> Keyword:
        """The same check of the keyword `name`, which counts its work."""

        def limited(validator: Any, wanted: Any, instance: Any, schema: Any) -> Errors | None:
            self.do(_work_of(name, wanted, instance))
            return check(validator, wanted, instance, schema)

        return limited


def _keywords(work: _Work) -> dict[str, Keyword]:
    """The checks of all keywords, which count what they do as `work`."""

    def matches(pattern: str, text: str) -> bool:
        work.do(1 + len(pattern) * len(text) // 100_000)
        compiled = _compiled(pattern)
        return compiled is None or compiled.search(text) is not None

    own: dict[str, Keyword] = {
        "pattern": partial(_pattern, matches),
        "patternProperties": partial(_pattern_properties, matches),
        "additionalProperties": partial(_additional_properties, matches),
        "unevaluatedProperties": _not_checked,
        "unevaluatedItems": _not_checked,
    }
    return {name: work.limited(name, check) for name, check in {**_STANDARD, **own}.items()}


def _work_of(name: str, wanted: Json, instance: Json) -> int:
    size = 1 + _size(instance) // 10
    match name:
        case "$ref" | "$dynamicRef":
            return size + 15
        case "enum":
            return _size(instance) * (1 + len(wanted))
        case "uniqueItems" if isinstance(instance, list) and not _is_sortable(instance):
            return (size + len(instance)) * len(instance)
    return size + (len(wanted) if isinstance(wanted, dict | list) else 0)


def _size(value: Json) -> int:
    """The number of values in `value`, and of each 10 characters. Messages and comparisons read them all."""
    match value:
        case str():
            return 1 + len(value) // 10
        case dict():
            return 1 + sum(1 + len(key) // 10 + _size(item) for key, item in value.items())
        case list():
            return 1 + sum(map(_size, value))
    return 1


def _is_sortable(items: list[Json]) -> bool:
    """Whether equal items can be found by sorting. Otherwise each is compared with all others."""
    return all(isinstance(item, str) for item in items) or all(
        isinstance(item, int | float) for item in items
    )


def _pattern(matches: Matches, _: Any, pattern: str, instance: Any, __: Any) -> Errors:
    if isinstance(instance, str) and not matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(matches: Matches, validator: Any, patterns: Any, instance: Any, _: Any) -> Errors:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            if matches(pattern, name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(
    matches: Matches, validator: Any, wanted: Any, instance: Any, schema: Any
) -> Errors:
    """The standard check, of the properties that no pattern matches."""
    patterns = schema.get("patternProperties")
    if patterns and isinstance(instance, dict):
        instance = {
            name: value
            for name, value in instance.items()
            if not any(matches(pattern, name) for pattern in patterns)
        }
    named = {key: value for key, value in schema.items() if key != "patternProperties"}
    yield from _STANDARD["additionalProperties"](validator, wanted, instance, named) or ()


def _not_checked(*_: object) -> None:
    return None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    """The pattern of RE2; None if it cannot be checked."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError):
        return None


def _references_outside(schema: Json) -> Iterator[str]:
    match schema:
        case dict():
            for key, value in schema.items():
                if key in {"$ref", "$dynamicRef"} and isinstance(value, str) and not value.startswith("#"):
                    yield value
                yield from _references_outside(value)
        case list():
            for value in schema:
                yield from _references_outside(value)


def _without_dialects(schema: Json) -> Json:
    """The schema without `$schema`, which would have parts of it validated without these limits."""
    match schema:
        case dict():
            return {
                key: _without_dialects(value)
                for key, value in schema.items()
                if key != "$schema" or not isinstance(value, str)
            }
        case list():
            return [_without_dialects(value) for value in schema]
    return schema
