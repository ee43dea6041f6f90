"""Tools of servers that do not follow the protocol exactly can be used all the same."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from contracts.core.event import Json
from contracts.core.outcome import Reject
from executor.tools.tool import CallContext
from tests.services.executor.tools.from_sources import tools_of

PROGRAM = Path(__file__).with_name("an_odd_server.py")
CONFIG = {"mcpServers": {"it": {"command": sys.executable, "args": [str(PROGRAM)]}}}
CALL = CallContext("run_1/001")


async def test_a_tool_with_an_odd_schema_is_usable_and_does_not_hide_the_others(tmp_path: Path) -> None:
    called: dict[str, dict[str, Json]] = {
        "no_schema": {},
        "null_schema": {},
        "empty_schema": {},
        "null_properties": {},
        "list_of_properties": {},
        "one_of": {"a": 1},
        "odd_title": {},
        "pattern": {"p": "x"},
        "bound": {"n": 1},
        "dangling": {"p": "x"},
        "promised": {},
    }
    async with tools_of(tmp_path, "mcp_config", CONFIG) as (tools, _):
        for name, params in called.items():
            assert await tools.get(f"it__{name}").invoke(params, CALL) == f"called {name}"
        with pytest.raises(Reject, match="is not valid under any of the given schemas"):
            await tools.get("it__one_of").invoke({"c": 1}, CALL)


async def test_two_tools_whose_names_differ_in_a_sign_are_two_tools(tmp_path: Path) -> None:
    async with tools_of(tmp_path, "mcp_config", CONFIG) as (tools, _):
        named = sorted(name for name in tools.available if name.startswith("it__a_b"))
        assert [await tools.get(name).invoke({}, CALL) for name in named] == ["called a_b", "called a.b"]


async def test_the_result_of_a_call_that_was_made_is_never_lost_for_its_form(tmp_path: Path) -> None:
    results = {
        "null_content": "",
        "text_as_content": "hello",
        "unknown_part": {"type": "video", "data": "x"},
        "part_without_text": {"type": "text"},
        "structured_list": [1],
        "null": "",
        "half_a_character": "Hi \N{REPLACEMENT CHARACTER}",
    }
    async with tools_of(tmp_path, "mcp_config", CONFIG) as (tools, _):
        for name, meant in results.items():
            assert await tools.get(f"it__{name}").invoke({}, CALL) == meant


async def test_files_are_kept_also_beside_structured_content(tmp_path: Path) -> None:
    async with tools_of(tmp_path, "mcp_config", CONFIG) as (tools, _):
        structured, picture = await tools.get("it__structured_and_picture").invoke({}, CALL)
        (report,) = await tools.get("it__file").invoke({}, CALL)
    assert structured == {"n": 1}
    assert (tmp_path / "artifacts" / picture["path"]).read_bytes() == b"\x89PNG"
    assert report["path"].endswith(".pdf")
    assert (tmp_path / "artifacts" / report["path"]).read_bytes() == b"%PDF-"


async def test_a_failed_call_says_all_that_the_server_says(tmp_path: Path) -> None:
    async with tools_of(tmp_path, "mcp_config", CONFIG) as (tools, _):
        with pytest.raises(Reject, match="quota used up"):
            await tools.get("it__structured_error").invoke({}, CALL)
        with pytest.raises(Reject, match=r'it: refused \(\{"left":0\}\)'):
            await tools.get("it__detailed_error").invoke({}, CALL)
