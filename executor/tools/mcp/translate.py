"""Translates tools and results of MCP servers into ours, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
    Tool,
)
from pydantic import ConfigDict, model_validator

from contracts.core.event import Json
from contracts.core.text import clean_text
from contracts.core.tool import Effect, Outward, keys_as_declared
from executor.tools.inputs import ToolInput
from executor.tools.mcp.config import ServerConfig

MAX_NAME = 64
"""Longest name of a function that models accept."""
MAX_DESCRIPTION = 2000
"""Longest description, in characters. Longer ones are cut: all of them are part of each prompt."""
MAX_TEXT = 500_000
"""Longest text of a result, in characters. Longer ones are cut."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


class McpInput(ToolInput):
    """Input of an MCP tool, checked against the JSON Schema of its server."""

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


def description_of(tool: Tool) -> str:
    """The description for models and people."""
    text = clean_text(tool.description or tool.title or tool.name).strip()
    return text if len(text) <= MAX_DESCRIPTION else f"{text[: MAX_DESCRIPTION - 1]}…"


def effect_of(tool: Tool, config: ServerConfig) -> Effect:
    """What a second call does: as configured, or as the hints say. Without hints: ONCE."""
    if tool.name in config.effects:
        return config.effects[tool.name]
    hints = tool.annotations
    if hints and hints.read_only_hint:
        return Effect.READ
    return Effect.IDEMPOTENT if hints and hints.idempotent_hint else Effect.ONCE


def outward_of(tool: Tool, config: ServerConfig) -> Outward | None:
    """Whether a call sends something to others: as configured, or every tool that does not only read.

    Which parameters say to whom is not known, so all of them count.
    """
    is_outward = effect_of(tool, config) is not Effect.READ if config.outward is None else config.outward
    return Outward() if is_outward else None


def input_of(tool: Tool) -> type[McpInput]:
    """The class of the input of a tool.

    Raises:
        ValueError: the server's schema is not a JSON Schema of an object.
    """
    schema = {"properties": {}, "required": [], **tool.input_schema, "type": "object"}
    if outside := next(_references_outside(schema), None):
        raise ValueError(f"its input schema refers to {outside[:200]!r}, which is not part of it")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"its input schema is not valid: {error.message}") from error
    validator = Draft202012Validator(schema)

    class Input(McpInput):
        @model_validator(mode="after")
        def _fits(self) -> Input:
            if fault := best_match(validator.iter_errors(self.arguments)):
                raise ValueError(f"{'.'.join(map(str, fault.absolute_path))}: {fault.message}".lstrip(": "))
            return self

        @classmethod
        def as_declared(cls, given: Mapping[str, Json]) -> dict[str, Json]:
            return keys_as_declared(given, list(schema["properties"]))

        @classmethod
        def describe_parameters(cls) -> dict[str, Json]:
            return schema

    return Input


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


def result_of(result: CallToolResult) -> Json:
    """The result of a call: structured content if there is some, or its text (parsed if it is a JSON object
    or array), or a list of its parts.
    """
    if result.structured_content is not None:
        return result.structured_content
    parts = [_part(block) for block in result.content]
    if all(isinstance(part, str) for part in parts):
        return _parsed("\n".join(map(str, parts)))
    return [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]


def error_of(result: CallToolResult) -> str:
    """What a failed call says."""
    texts = [part for block in result.content if isinstance(part := _part(block), str)]
    return "\n".join(texts) or "it failed and did not say why"


def _part(block: ContentBlock) -> Json:
    match block:
        case TextContent():
            return _bounded(block.text)
        case EmbeddedResource(resource=TextResourceContents() as resource):
            return _bounded(resource.text)
        case EmbeddedResource():
            return {"type": "resource", "uri": str(block.resource.uri), "mimeType": block.resource.mime_type}
        case ResourceLink():
            return {"type": "resource_link", "uri": str(block.uri), "name": block.name}
        case ImageContent() | AudioContent():
            size = len(block.data) * 3 // 4
            return {"type": block.type, "mimeType": block.mime_type, "bytes": size, "note": "not kept"}
    return {"type": block.type}


def _bounded(text: str) -> str:
    return (
        text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}\n[cut: {len(text) - MAX_TEXT} more characters]"
    )


def _parsed(text: str) -> Json:
    if text.lstrip()[:1] in {"{", "["}:
        try:
            parsed: Mapping[str, Any] | Sequence[Any] = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        return parsed
    return text
