"""Calls of MCP tools are made with the key of the MCP client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from contracts.core.scopes import Scope
from tests.services.gateway.test_mcp import client_of, text_of

if TYPE_CHECKING:
    from tests.services.gateway.access.conftest import Guarded

OBJECTIVE = {"objective": "Watch the weather in Berlin"}


async def test_a_key_may_do_through_mcp_what_it_may_do_without(guarded: Guarded) -> None:
    reader, runner = await guarded.key("reader", Scope.READ), await guarded.key("runner", Scope.RUN)

    async with client_of(guarded.api, **reader) as client:
        listed = await client.call_tool("list_goals", {})
        refused = await client.call_tool("create_goal", OBJECTIVE)
    async with client_of(guarded.api, **runner) as client:
        made = await client.call_tool("create_goal", OBJECTIVE)

    assert not listed.is_error
    assert refused.is_error
    assert "run" in text_of(refused)
    assert not made.is_error


async def test_without_a_key_there_are_no_tools(guarded: Guarded) -> None:
    answer = await guarded.api.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})

    assert answer.status == 401


async def test_commits_through_mcp_name_the_key_that_asked_for_them(guarded: Guarded) -> None:
    async with client_of(guarded.api, **await guarded.key("runner", Scope.RUN)) as client:
        made = json.loads(text_of(await client.call_tool("create_goal", OBJECTIVE)))

    (recorded,) = await guarded.api.log.read("goal", made["id"])
    assert recorded.commit.actor == "key:runner"
