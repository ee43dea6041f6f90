"""Names, descriptions, effects and schemas of MCP tools, whatever a server says."""

from __future__ import annotations

from typing import Any

import pytest
from mcp_types import CallToolResult, ImageContent, TextContent, Tool, ToolAnnotations

from contracts.core.tool import Effect
from executor.tools.described import MAX_TEXT
from executor.tools.mcp.config import ServerConfig
from executor.tools.mcp.translate import MAX_MEDIA_BYTES, effect_of, media_in, result_of

CONFIG = ServerConfig(command="x", effects={"known": Effect.READ})


def tool(name: str = "t", schema: dict[str, Any] | None = None, **more: Any) -> Tool:
    return Tool(name=name, input_schema=schema or {"type": "object"}, **more)


@pytest.mark.parametrize(
    ("name", "hints", "effect"),
    [
        ("t", None, Effect.ONCE),
        ("t", ToolAnnotations(read_only_hint=False, destructive_hint=False), Effect.ONCE),
        ("t", ToolAnnotations(read_only_hint=True), Effect.READ),
        ("t", ToolAnnotations(idempotent_hint=True), Effect.IDEMPOTENT),
        ("known", ToolAnnotations(destructive_hint=True), Effect.READ),
    ],
)
def test_the_configuration_decides_over_hints_and_no_hint_means_once(
    name: str, hints: ToolAnnotations | None, effect: Effect
) -> None:
    assert effect_of(tool(name, annotations=hints), CONFIG) is effect


def test_a_text_of_a_result_is_cut() -> None:
    result = result_of(CallToolResult(content=[TextContent(text="x" * (MAX_TEXT + 5))]), {})
    assert isinstance(result, str)
    assert result.endswith("[cut: 5 more characters]")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"id": 18446744073709551615}', {"id": 2**64 - 1}),
        ("[1, 2.5]", [1, 2.5]),
        ('{"id": 18446744073709551617}', '{"id": 18446744073709551617}'),
        ("{no JSON}", "{no JSON}"),
    ],
)
def test_a_json_text_is_parsed_unless_an_integer_would_change(text: str, meant: Any) -> None:
    assert result_of(CallToolResult(content=[TextContent(text=text)]), {}) == meant


@pytest.mark.parametrize("data", ["not base64!", "A" * (MAX_MEDIA_BYTES * 4 // 3 + 8)])
def test_media_that_are_damaged_or_too_large_are_not_kept(data: str) -> None:
    result = CallToolResult(content=[ImageContent(data=data, mime_type="image/png")])

    assert list(media_in(result)) == []
    (part,) = result_of(result, {})
    assert "not kept" in part["note"]
