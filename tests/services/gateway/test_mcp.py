"""The MCP server at `/mcp`, used by the official client over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from contracts.domain import run
from contracts.domain.run.steps import SYNTHESIS
from contracts.mcp.offered import OFFERED, WAIT
from tests.services.gateway.shared import add_one_of_everything

if TYPE_CHECKING:
    from tests.services.conftest import Api


@asynccontextmanager
async def client_of(api: Api, **headers: str) -> AsyncGenerator[Client]:
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(f"{api.url}/mcp", http_client=http)) as client,
    ):
        yield client


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    return str(content.text)  # type: ignore[union-attr]


async def call(client: Client, name: str, **arguments: Any) -> Any:
    result = await client.call_tool(name, arguments)
    assert not result.is_error, text_of(result)
    return json.loads(text_of(result))


async def test_the_operations_of_the_api_are_tools(api: Api) -> None:
    async with client_of(api) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    assert list(tools) == [*OFFERED, WAIT]
    assert tools["create_goal"].input_schema["properties"]["objective"]["type"] == "string"
    assert tools["list_goals"].annotations is not None
    assert tools["list_goals"].annotations.read_only_hint
    assert all(tool.description for tool in tools.values())


async def test_a_call_is_an_operation_of_the_api(api: Api) -> None:
    await add_one_of_everything(api)
    async with client_of(api) as client:
        made = await call(client, "create_goal", objective="Watch the weather in Berlin")
        found = await call(client, "list_goals", limit=1)
        detail = await call(client, "get_execution", id="e1")

    assert found[0]["id"] == made["id"]
    assert detail["id"] == "e1"
    assert (await api.get(f"/api/v1/goals/{made['id']}")).json["objective"] == "Watch the weather in Berlin"


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("get_goal", {"id": "nope"}, "not found"),
        ("get_goal", {}, "needs the argument 'id'"),
        ("get_goal", {"id": "x", "verbose": True}, "no argument 'verbose'"),
        ("create_goal", {"objective": 7}, "objective"),
        (WAIT, {"id": "nope"}, "not found"),
        (WAIT, {"id": "nope", "timeout_s": 0}, "timeout_s"),
    ],
)
async def test_the_model_is_told_what_is_wrong_with_a_call(
    api: Api, name: str, arguments: dict[str, Any], said: str
) -> None:
    async with client_of(api) as client:
        result = await client.call_tool(name, arguments)

    assert result.is_error
    assert said in text_of(result).lower()


async def test_an_unknown_tool_is_named(api: Api) -> None:
    async with client_of(api) as client:
        with pytest.raises(MCPError, match="did you mean 'list_goals'"):
            await client.call_tool("listGoals", {})


async def test_waiting_returns_the_run_at_its_end_and_tells_its_progress(api: Api) -> None:
    await add_one_of_everything(api)
    started = run.Started(executor="x", at=datetime.now(UTC), synthesis="merge")
    told: list[str] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")
        if len(told) == 1:
            done = run.StepCompleted(step=SYNTHESIS, result="All done")
            await api.write(run.RUN, "e1", started, done, run.Completed(completed_steps=1, duration_ms=5))

    async with client_of(api) as client:
        result = await client.call_tool(WAIT, {"id": "e1"}, progress_callback=tell)

    assert json.loads(text_of(result))["status"] == "completed"
    assert any(one.startswith("execution.completed") for one in told)


async def test_waiting_ends_with_its_timeout(api: Api) -> None:
    await add_one_of_everything(api)
    async with client_of(api) as client:
        waited = await call(client, WAIT, id="e1", timeout_s=1)

    assert waited["status"] == "pending"
