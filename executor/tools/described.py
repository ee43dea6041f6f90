"""Tools that others describe by JSON Schemas: MCP servers and APIs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from jsonschema.exceptions import best_match
from pydantic import ConfigDict, model_validator

from contracts.core.event import Json
from contracts.core.foreign_schema import ForeignSchema, schema_error
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


def name_of(server: str, tool: str) -> str:
    """The name of a tool in the catalogue: `<server>__<tool>`, in characters that models accept."""
    name = _NOT_IN_NAMES.sub("_", f"{server}__{tool}")
    if len(name) <= MAX_NAME:
        return name
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
    schema = {"properties": {}, "required": [], **declared, "type": "object"}
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
