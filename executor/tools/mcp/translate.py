"""Translates tools and results of MCP servers into ours, and back. Pure."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from mimetypes import guess_extension
from typing import NamedTuple

from mcp import MCPError
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
    Tool,
)

from contracts.core.event import Json
from contracts.core.foreign_json import parse_json
from contracts.core.tool import Effect, Outward
from contracts.domain.plan.placeholders import compact
from executor.tools.described import bounded
from executor.tools.mcp.config import ServerConfig

MAX_MEDIA_BYTES = 20_000_000
"""Largest file in a result that is kept."""
_SUFFIXES = {"audio/wav": ".wav", "audio/mp3": ".mp3", "image/jpg": ".jpg"}
"""Suffixes of media types that are in use and not registered."""


def text_of(tool: Tool) -> str:
    """What the server says about a tool."""
    return tool.description or tool.title or tool.name


def require_callable(tool: Tool) -> None:
    """Require that a tool can be called without a task, which clients have to poll.

    Raises:
        ValueError: it cannot.
    """
    if tool.execution and tool.execution.task_support == "required":
        raise ValueError("it can be called as a task only, which is not supported")


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


class MediaFile(NamedTuple):
    """An image, a sound or another file in a result."""

    position: int
    """Index among the parts of the result."""
    suffix: str
    """With a dot; empty if the media type has no usual one."""
    data: bytes


def media_in(result: CallToolResult) -> Iterator[MediaFile]:
    """The images, sounds and other files in a result, up to MAX_MEDIA_BYTES each."""
    for position, block in enumerate(result.content):
        match block:
            case ImageContent() | AudioContent():
                encoded, media_type = block.data, block.mime_type
            case EmbeddedResource(resource=BlobResourceContents() as resource):
                encoded, media_type = resource.blob, resource.mime_type or ""
            case _:
                continue
        if len(encoded) * 3 // 4 <= MAX_MEDIA_BYTES:
            with suppress(ValueError):
                yield MediaFile(position, _suffix_of(media_type), b64decode(encoded, validate=True))


def _suffix_of(media_type: str) -> str:
    return _SUFFIXES.get(media_type) or guess_extension(media_type) or ""


def result_of(result: CallToolResult, kept: Mapping[int, str]) -> Json:
    """The result of a call: structured content if there is some, or its text (parsed if it is a JSON object
    or array), or a list of its parts. Structured content beside files is the first part.

    `kept`: the paths of the artifacts with the files, by position.
    """
    parts = [_part(block, kept.get(position)) for position, block in enumerate(result.content)]
    if result.structured_content is not None:
        files = [part for part in parts if not isinstance(part, str)]
        return [result.structured_content, *files] if files else result.structured_content
    if all(isinstance(part, str) for part in parts):
        return _parsed("\n".join(map(str, parts)))
    return [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]


def error_of(result: CallToolResult) -> str:
    """What a failed call says."""
    texts = [part for block in result.content if isinstance(part := _part(block), str)]
    if not any(texts) and result.structured_content is not None:
        texts = [bounded(compact(result.structured_content))]
    return "\n".join(texts) or "it failed and did not say why"


def refusal_of(error: MCPError) -> str:
    """What a server says about a call that it refuses, with the details."""
    data = error.error.data
    if data is None:
        return str(error)
    return f"{error} ({bounded(data if isinstance(data, str) else compact(data))})"


def _part(block: ContentBlock, path: str | None = None) -> Json:
    match block:
        case TextContent():
            return bounded(block.text)
        case EmbeddedResource(resource=TextResourceContents() as resource):
            return bounded(resource.text)
        case EmbeddedResource():
            about = {"type": "resource", "uri": str(block.resource.uri), "mimeType": block.resource.mime_type}
            return {**about, **_kept(path)}
        case ResourceLink():
            return {"type": "resource_link", "uri": str(block.uri), "name": block.name}
        case ImageContent() | AudioContent():
            return {"type": block.type, "mimeType": block.mime_type, **_kept(path)}
    return {"type": block.type}


def _kept(path: str | None) -> dict[str, Json]:
    return {"path": path} if path else {"note": "too large or damaged, not kept"}


def _parsed(text: str) -> Json:
    """A JSON object or array; the text itself if it is not one, or has an integer beyond 64 bits."""
    if text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        return parse_json(text.encode())
    except ValueError:
        return text
