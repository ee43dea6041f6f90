"""Corrects messages of MCP servers that do not follow the protocol exactly, before the SDK validates them.

The SDK refuses a whole message for one wrong field: a tool without a schema would make all tools of its
server unusable, and the result of a call that has taken effect would be lost.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from mcp.shared.message import SessionMessage
from mcp_types import ContentBlock, JSONRPCResponse, Tool, jsonrpc_message_adapter
from pydantic import TypeAdapter, ValidationError

from contracts.core.event import Json
from contracts.core.text import clean_json

_BLOCK: TypeAdapter[Any] = TypeAdapter(ContentBlock)
_RESULT_KEYS = frozenset({"content", "structuredContent", "isError"})


@asynccontextmanager
async def tolerant(transport: AbstractAsyncContextManager[Any]) -> AsyncGenerator[Any]:
    """`transport`, whose incoming messages are corrected."""
    async with transport as (read, write):
        yield _Corrected(read), write


class _Corrected:
    """A stream of incoming messages."""

    def __init__(self, read: Any) -> None:
        self._read = read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._read, name)

    def __aiter__(self) -> _Corrected:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return corrected(await self._read.__anext__())

    async def receive(self) -> SessionMessage | Exception:
        return corrected(await self._read.receive())

    async def __aenter__(self) -> _Corrected:
        await self._read.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._read.__aexit__(*error)


def corrected(message: SessionMessage | Exception) -> SessionMessage | Exception:
    """A message in the form of the protocol. What cannot be understood is unchanged."""
    if isinstance(message, ValidationError):
        message = _read_again(message)
    if not isinstance(message, SessionMessage) or not isinstance(message.message, JSONRPCResponse):
        return message
    response = message.message.model_copy(update={"result": _result(message.message.result)})
    return SessionMessage(response, message.metadata)


def _read_again(error: ValidationError) -> SessionMessage | ValidationError:
    """The message of a line that the SDK refuses for half a character, or for a result that is null."""
    try:
        given = error.errors()[0]["input"]
        line = clean_json(json.loads(given) if isinstance(given, str) else given)
        if isinstance(line, dict) and line.get("result", "") is None:
            line["result"] = {"content": []}
        return SessionMessage(jsonrpc_message_adapter.validate_python(line, by_name=False))
    except (ValueError, RecursionError):
        return error


def _result(result: Mapping[str, Json]) -> dict[str, Json]:
    if isinstance(tools := result.get("tools"), list):
        named = [tool for tool in tools if isinstance(tool, dict) and isinstance(tool.get("name"), str)]
        return {**result, "tools": [_tool(tool) for tool in named]}
    return _call_result(result) if _RESULT_KEYS & result.keys() else dict(result)


def _tool(tool: Mapping[str, Json]) -> dict[str, Json]:
    """A tool with an input schema, and without an output schema: the SDK drops results that do not fit it."""
    given = tool.get("inputSchema")
    schema = dict(given) if isinstance(given, dict) else {}
    for key, kind in (("properties", dict), ("required", list)):
        if not isinstance(schema.get(key, kind()), kind):
            del schema[key]
    kept = {key: value for key, value in tool.items() if key != "outputSchema"}
    kept["inputSchema"] = {**schema, "type": "object"}
    try:
        Tool.model_validate(kept, by_name=False)
    except ValidationError:  # one of its other fields is invalid
        description = tool.get("description")
        said = {"description": description} if isinstance(description, str) else {}
        return {"name": tool["name"], "inputSchema": kept["inputSchema"], **said}
    return kept


def _call_result(result: Mapping[str, Json]) -> dict[str, Json]:
    """The result of a call with a list of parts. Parts of unknown types become text."""
    content, structured = result.get("content"), result.get("structuredContent")
    blocks = content if isinstance(content, list) else [] if content is None else [content]
    kept = {key: value for key, value in result.items() if key != "structuredContent"}
    if isinstance(structured, dict):
        kept["structuredContent"] = structured
    elif structured is not None and not blocks:
        blocks = [structured]
    kept["content"] = [_block(block) for block in blocks]
    return kept


def _block(block: Json) -> Json:
    try:
        _BLOCK.validate_python(block, by_name=False)
    except ValidationError:
        text = block if isinstance(block, str) else json.dumps(block, ensure_ascii=False)
        return {"type": "text", "text": text}
    return block
