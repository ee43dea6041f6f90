"""Names, descriptions, effects and schemas of MCP tools, whatever a server says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import CallToolResult, TextContent, Tool, ToolAnnotations

from contracts.core.tool import Effect
from executor.tools.mcp.config import ServerConfig
from executor.tools.mcp.translate import (
    MAX_DESCRIPTION,
    MAX_NAME,
    MAX_TEXT,
    description_of,
    effect_of,
    input_of,
    name_of,
    result_of,
)

CONFIG = ServerConfig(command="x", effects={"known": Effect.READ})


def tool(name: str = "t", schema: dict[str, Any] | None = None, **more: Any) -> Tool:
    return Tool(name=name, input_schema=schema or {"type": "object"}, **more)


@given(st.text(min_size=1, max_size=200))
def test_every_name_is_one_that_models_accept(name: str) -> None:
    ours = name_of("server", name)
    assert len(ours) <= MAX_NAME
    assert ours.isascii()
    assert all(one.isalnum() or one in "_-" for one in ours)


def test_long_names_stay_different() -> None:
    assert name_of("s", "x" * 100 + "a") != name_of("s", "x" * 100 + "b")


def test_a_description_is_cut_and_cleaned() -> None:
    assert len(description_of(tool(description="x" * 5000))) == MAX_DESCRIPTION
    assert description_of(tool(name="only")) == "only"


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


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "nonsense"}}},
        {"type": "object", "properties": {"a": {"$ref": "https://a.example/schema.json"}}},
        {"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}},
    ],
)
def test_a_schema_that_is_wrong_or_refers_to_elsewhere_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="its input schema"):
        input_of(tool(schema=schema))


def test_a_schema_may_refer_to_its_own_definitions() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "integer"}},
    }
    accepts = input_of(tool(schema=schema))
    assert accepts.model_validate({"a": 1}).arguments == {"a": 1}
    with pytest.raises(ValueError, match="a: 'x' is not of type 'integer'"):
        accepts.model_validate({"a": "x"})


def test_a_text_of_a_result_is_cut() -> None:
    result = result_of(CallToolResult(content=[TextContent(text="x" * (MAX_TEXT + 5))]))
    assert isinstance(result, str)
    assert result.endswith("[cut: 5 more characters]")
