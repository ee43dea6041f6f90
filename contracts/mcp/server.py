"""An MCP server whose tools call the HTTP API. The API checks the key, the input and everything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import orjson
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.client import Client, ClientError, Refused
from contracts.client.events import StreamEvent
from contracts.core.event import Json
from contracts.core.suggestions import did_you_mean
from contracts.mcp.offered import INSTRUCTIONS, WAIT, WAIT_TOOL, as_tool
from contracts.openapi import InvalidArguments, Operation, Request

NAME = "async-agent"
LONGEST_CALL_S = 600.0
"""Maximum seconds of a call. Planning takes as long as the model does."""
LONGEST_RESULT = 100_000
"""Maximum number of characters of a result. Longer results are cut."""
WAITING, ASKED = "waiting", "ask.opened"
"""The status of an execution, and the type of an event, that say that a person is asked."""

Tell = Callable[[float, str], Awaitable[None]]
"""Reports progress: a number that grows, and what happens."""


class _Wait(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1)
    timeout_s: float = Field(default=60, ge=1, le=3600)


def mcp_server(client: Client, operations: Mapping[str, Operation]) -> Server[Any]:
    """Return a server whose tools are `operations`, called through `client`, and `wait_for_run`."""

    async def list_tools(_: object, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[*map(as_tool, operations.values()), WAIT_TOOL])

    async def call_tool(context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        async def tell(progress: float, message: str) -> None:
            await context.session.report_progress(progress, message=message)

        arguments = params.arguments or {}
        try:
            if params.name == WAIT:
                return _result(await wait_for_run(client, _Wait.model_validate(arguments), tell))
            if operation := operations.get(params.name):
                return _result(await _sent(client, operation.request(arguments)))
        except ValidationError as error:
            return _error("; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors()))
        except (InvalidArguments, ClientError) as error:
            return _error(str(error))
        known = [*operations, WAIT]
        raise MCPError(INVALID_PARAMS, f"no tool is called {params.name!r}{did_you_mean(params.name, known)}")

    return Server(
        NAME,
        version=version("async-agent"),
        title="Async Agent",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _sent(client: Client, request: Request) -> Json:
    return await client.call(
        request.method,
        request.path,
        request.body,
        query={name: tuple(values) for name, values in request.query.items()},
        headers=request.headers,
        timeout_s=LONGEST_CALL_S,
    )


async def wait_for_run(client: Client, wanted: _Wait, tell: Tell) -> Json:
    """Return an execution or a run at its end, when it needs a person, or after the timeout.

    Raises:
        ClientError: it does not exist, or the API does not answer.
    """
    path, events = await _find(client, wanted.id)
    with suppress(TimeoutError):
        async with asyncio.timeout(wanted.timeout_s), aclosing(events):
            number = 0
            async for event in events:
                number += 1
                await tell(number, _said(event))
                if event.is_last or event.status == WAITING or event.type == ASKED:
                    break
    return await client.call("GET", path)


async def _find(client: Client, id_: str) -> tuple[str, AsyncGenerator[StreamEvent]]:
    try:
        await client.executions.get(id_)
    except Refused as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise
    else:
        return f"/api/v1/dag-executions/{id_}", client.executions.events(id_)
    await client.runs.get(id_)
    return f"/api/v1/runs/{id_}", client.runs.events(id_)


def _said(event: StreamEvent) -> str:
    about = event.description or event.tool_name or event.message or event.error or event.reason
    return f"{event.type}: {about}" if about else event.type


def _result(answer: Json) -> CallToolResult:
    text = orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode() if answer is not None else "done"
    if len(text) > LONGEST_RESULT:
        text = f"{text[:LONGEST_RESULT]}\n… cut: {len(text) - LONGEST_RESULT} more characters"
    return CallToolResult(content=[TextContent(text=text)])


def _error(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=message)], is_error=True)
