"""Tools over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contracts.core.tool import Effect, Outward, ToolSpec

if TYPE_CHECKING:
    from tests.services.conftest import Api

TOOLS = "/api/v1/tools"
PARAMETERS = {
    "type": "object",
    "properties": {"path": {"type": "string", "default": None}},
    "required": [],
    "additionalProperties": False,
}


@pytest.fixture
def tools(api: Api) -> Api:
    for order, name in ((2, "readFile"), (1, "webSearch"), (1000, "mcp:a/b")):
        spec = ToolSpec(
            name=name, description=f"{name}.", parameters=PARAMETERS, effect=Effect.READ, order=order
        )
        api.gateway.catalogue.add(spec)
    return api


def definition(name: str) -> object:
    """What the API says of a tool."""
    return {
        "type": "function",
        "function": {"name": name, "description": f"{name}.", "parameters": PARAMETERS},
        "effect": "read",
        "outward": False,
    }


async def test_without_an_executor_there_are_no_tools(api: Api) -> None:
    assert (await api.get(TOOLS)).json == []


async def test_tools_are_listed_in_their_order(tools: Api) -> None:
    answer = await tools.get(TOOLS)
    assert answer.status == 200
    assert answer.json == [definition(name) for name in ("webSearch", "readFile", "mcp:a/b")]


@pytest.mark.parametrize("path", [f"{TOOLS}?name=", f"{TOOLS}/"])
async def test_one_tool_is_an_object_by_either_way(tools: Api, path: str) -> None:
    assert (await tools.get(f"{path}readFile")).json == definition("readFile")
    assert (await tools.get(f"{path}mcp:a%2Fb")).json == definition("mcp:a/b")


async def test_a_tool_says_whether_a_call_sends_something_to_others(api: Api) -> None:
    spec = ToolSpec(name="post", description="", parameters=PARAMETERS, effect=Effect.ONCE, outward=Outward())
    api.gateway.catalogue.add(spec)
    shown = (await api.get(f"{TOOLS}/post")).json
    assert (shown["effect"], shown["outward"]) == ("once", True)


@pytest.mark.parametrize("path", [f"{TOOLS}?name=", f"{TOOLS}/"])
async def test_names_are_case_sensitive(tools: Api, path: str) -> None:
    answer = await tools.get(f"{path}readfile")
    error = "Tool not found: readfile; did you mean 'readFile'?"
    assert (answer.status, answer.json) == (404, {"error": error})


async def test_an_empty_name_is_not_a_tool(tools: Api) -> None:
    answer = await tools.get(f"{TOOLS}?name=")
    assert (answer.status, answer.json) == (404, {"error": "Tool not found: "})
