"""Tools that others describe by JSON Schemas: MCP servers and APIs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from jsonschema.exceptions import best_match
from pydantic import ConfigDict, model_validator

from contracts.core.event import Json
from contracts.core.foreign_schema import TOO_DEEP, ForeignSchema, schema_error
from contracts.core.text import clean_text
from contracts.core.tool import keys_as_declared
from executor.tools.inputs import ToolInput

MAX_NAME = 64
"""Longest name of a function that models accept."""
MAX_DESCRIPTION = 2000
"""Longest description, in characters. Longer ones are cut: all of them are part of each prompt."""
MAX_TEXT = 500_000
"""Longest text of a result, in characters. Longer ones are cut."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


class SchemaInput(ToolInput):
    """Input that is checked against a JSON Schema."""

    model_config = ConfigDict(extra="allow")

    @property
    def arguments(self) -> dict[str, Json]:
        """The parameters as they were given."""
        return dict(self.model_extra or {})


def names_of(server: str, tools: Iterable[str]) -> dict[str, str]:
    """The names in the catalogue of all tools of a server, by their names there. They are different."""
    names: dict[str, str] = {}
    for tool in sorted(set(tools), key=lambda tool: (_NOT_IN_NAMES.search(tool) is not None, tool)):
        name = name_of(server, tool)
        names[tool] = _with_digest(name, tool) if name in names.values() else name
    return names


def name_of(server: str, tool: str) -> str:
    """The name of a tool in the catalogue: `<server>__<tool>`, in characters that models accept."""
    name = _NOT_IN_NAMES.sub("_", f"{server}__{tool}")
    return name if len(name) <= MAX_NAME else _with_digest(name, tool)


def _with_digest(name: str, tool: str) -> str:
    digest = sha256(tool.encode()).hexdigest()[:8]
    return f"{name[: MAX_NAME - 9]}_{digest}"


def source_of(name: str) -> str:
    """The first part of a name that `name_of` made."""
    return name.partition("__")[0]


def description_of(text: str) -> str:
    """The description for models and people, of limited length."""
    text = clean_text(text).strip()
    return text if len(text) <= MAX_DESCRIPTION else f"{text[: MAX_DESCRIPTION - 1]}…"


def bounded(text: str) -> str:
    """The text of a result, of limited length."""
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}\n[cut: {len(text) - MAX_TEXT} more characters]"


def input_of(declared: Mapping[str, Json]) -> type[SchemaInput]:
    """The class of the input with the JSON Schema `declared`.

    Raises:
        ValueError: it is not a JSON Schema of an object, or refers to another document.
    """
    try:
        ours = _in_our_dialect(declared, declared)
    except RecursionError as endless:
        raise ValueError(f"its input schema is not valid: {TOO_DEEP}") from endless
    schema = {"properties": {}, "required": [], **ours, "type": "object"}
    if error := schema_error(schema):
        raise ValueError(f"its input schema is not valid: {error}")
    validator = ForeignSchema(schema)

    class Input(SchemaInput):
        @model_validator(mode="after")
        def _fits(self) -> Input:
            if fault := best_match(validator.errors(self.arguments)):
                raise ValueError(f"{'.'.join(map(str, fault.absolute_path))}: {fault.message}".lstrip(": "))
            return self

        @classmethod
        def as_declared(cls, given: Mapping[str, Json]) -> dict[str, Json]:
            return keys_as_declared(given, list(schema["properties"]))

        @classmethod
        def describe_parameters(cls) -> dict[str, Json]:
            return schema

    return Input


def _in_our_dialect(schema: Json, whole: Mapping[str, Json]) -> Any:
    """`schema`, a part of `whole`, without what would make the tool useless although its owner accepts it.

    These are patterns of JavaScript, bounds of drafts before 6, and references to parts that are missing.
    """
    match schema:
        case dict():
            known = {key: value for key, value in schema.items() if not _is_foreign(key, value, whole)}
            return {key: _in_our_dialect(value, whole) for key, value in known.items()}
        case list():
            return [_in_our_dialect(value, whole) for value in schema]
    return schema


def _is_foreign(key: str, value: Json, whole: Mapping[str, Json]) -> bool:
    match key, value:
        case (("exclusiveMinimum" | "exclusiveMaximum"), bool()):
            return True
        case "pattern", str():
            return not _is_pattern(value)
        case "$ref", str() if value.startswith("#/"):
            return not _has(whole, value)
    return False


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _has(schema: Json, reference: str) -> bool:
    """Whether `schema` has the part that `reference` (`#/$defs/Name`) names."""
    part = schema
    for step in unquote(reference).split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(part, list) and key.isdecimal() and int(key) < len(part):
            part = part[int(key)]
        elif isinstance(part, Mapping) and key in part:
            part = part[key]
        else:
            return False
    return True
