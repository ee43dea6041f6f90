"""Keeps the connection to an MCP server, and offers its tools while it answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp_types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
)
from mcp_types import Tool as McpTool
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from contracts.core.event import Json
from contracts.core.outcome import Ask, Reject, Retry
from contracts.core.tool import Effect
from contracts.core.waiting import doubled
from contracts.domain.plan.placeholders import compact
from executor.tools.artifacts import Artifacts
from executor.tools.described import SchemaInput, description_of, input_of, names_of
from executor.tools.mcp.calling import called
from executor.tools.mcp.config import ServerConfig
from executor.tools.mcp.connecting import connected
from executor.tools.mcp.conversation import (
    ASKED_S,
    HELD_S,
    NOT_HELD,
    Conversation,
    Conversations,
    Question,
)
from executor.tools.mcp.translate import (
    MediaFile,
    effect_of,
    error_of,
    media_in,
    outward_of,
    refusal_of,
    require_callable,
    result_of,
    text_of,
)
from executor.tools.threads import FILES
from executor.tools.tool import CallContext, Tool

CONNECT_S = 30.0
"""Maximum seconds until a server has listed its tools. A command may have to be downloaded first."""
CHECK_S = 15.0
"""Seconds between two lists of tools, which also show whether the server still answers."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
MAX_PAGES = 50

logger = structlog.get_logger(__name__)

Offer = Callable[[Tool[Any]], None]
"""Adds a tool to the registry, or replaces it."""


class McpServer:
    """One server. Its tools stay in the registry while it is away, and say that they are not available."""

    def __init__(
        self, name: str, config: ServerConfig, logs: Path, artifacts: Artifacts, offer: Offer
    ) -> None:
        self.name = name
        self.listed = asyncio.Event()
        """Set when the tools have been listed for the first time."""
        self._config = config
        self._log = logs / f"{name}.log"
        self._artifacts = artifacts
        self._offer = offer
        self._client: Client | None = None
        self._tools: dict[str, McpTool] = {}
        self._names: dict[str, str] = {}
        """The names in the catalogue by the names of the server."""
        self._ignored: dict[str, McpTool] = {}
        self._lost = asyncio.Event()
        self._conversations = Conversations()

    async def run(self) -> None:
        """A worker: connect, offer tools, and connect again with back-off, until cancelled."""
        failures = 0
        while True:
            try:
                async with asyncio.timeout(CONNECT_S) as limit, self._connected() as client:
                    await self._list_tools(client)
                    limit.reschedule(None)
                    logger.info("connected to an MCP server", server=self.name, tools=len(self._tools))
                    failures, self._client = 0, client
                    self.listed.set()
                    await self._until_lost(client)
            except Exception as error:  # whatever the SDK or the server raises: try again
                failures += 1
                pause = doubled(FIRST_PAUSE_S, failures, LONGEST_PAUSE_S)
                log = logger.bind(stderr=str(self._log)) if self._config.command else logger
                log.warning(
                    "an MCP server does not answer", server=self.name, error=_cause(error), retry_in_s=pause
                )
                self._client = None
                await asyncio.sleep(pause)

    async def call(self, tool: McpTool, arguments: dict[str, Json], call: CallContext) -> Json:
        """Call a tool.

        Raises:
            Ask: the server asks a person. The call is held until the answer, for HELD_S at most.
            Retry: the server is away or busy; nothing was called.
            Reject: the call failed.
            ConnectionError: the connection was lost during the call, which may have taken effect.
            TimeoutError: the call took too long; it may have taken effect.
        """
        client = self._client
        if client is None:
            raise Retry(f"the MCP server {self.name} is not connected")

        await self._turn()
        key = f"{call.idempotency_key} {tool.name} {compact(arguments)}"
        conversation = self._conversations.take(key) or self._begin(client, tool, arguments, call)
        try:
            with self._conversations.active(conversation):
                result = await self._result(client, tool, conversation, call, key)
        except MCPError as error:
            if await self._answers(client):
                raise Reject(f"{self.name}: {refusal_of(error)}") from error
            self._lost.set()
            self._client = None
            raise ConnectionError(f"the MCP server {self.name} ended: {error}") from error
        if result.is_error:
            raise Reject(error_of(result))
        kept = await self._keep(media_in(result), call)
        return result_of(result, kept)

    def _begin(
        self, client: Client, tool: McpTool, arguments: dict[str, Json], call: CallContext
    ) -> Conversation:
        """Start a call.

        Raises:
            Reject: it was started before, has asked, and must not be repeated.
        """
        if call.is_answered and self._is_lost_if_not_held(client, tool):
            raise Reject(NOT_HELD)

        async def tell(progress: float, total: float | None, message: str | None) -> None:
            share = f"{progress:g} of {total:g}" if total else f"{progress:g}"
            await call.progress("progress", self._names[tool.name], message or share)

        longest_s = self._config.timeout_s + HELD_S
        return Conversation(partial(called, client.session, tool.name, arguments, tell, longest_s))

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(CHECK_S):
                await self._conversations.turn()
        except TimeoutError:
            raise Retry(f"the MCP server {self.name} is busy with another call") from None

    async def _result(
        self, client: Client, tool: McpTool, conversation: Conversation, call: CallContext, key: str
    ) -> CallToolResult:
        """The result of a call, with the answers of a person to the questions of the server."""
        while isinstance(said := await conversation.next(self._lost, self._config.timeout_s), Question):
            title = f"{self.name} asks: {said.message}"
            answer = call.answer_to(title)
            if answer is None:
                self._conversations.hold(key, conversation)
                held_s = HELD_S if self._is_lost_if_not_held(client, tool) else ASKED_S
                raise Ask(title, schema=said.schema, expires_in=timedelta(seconds=held_s))
            conversation.reply(answer)
        return said

    def _is_lost_if_not_held(self, client: Client, tool: McpTool) -> bool:
        """Whether a call that has asked cannot be made again: its server asks in the middle of calls."""
        is_modern = client.session.protocol_version in MODERN_PROTOCOL_VERSIONS
        return effect_of(tool, self._config) is Effect.ONCE and not is_modern

    async def _keep(self, files: Iterable[MediaFile], call: CallContext) -> dict[int, str]:
        """Write files to the artifacts. Returns their paths by position. A repeated call replaces them."""
        kept = {}
        for file in files:
            name = "-".join(re.findall(r"[\w.]+", call.idempotency_key)) or "call"
            path = f"mcp/{self.name}/{name}-{file.position + 1}{file.suffix}"
            await FILES.run(self._artifacts.replace, path, file.data)
            kept[file.position] = path
        return kept

    def has(self, tool: str) -> bool:
        """Whether the server answers and has `tool`."""
        return self._client is not None and tool in self._tools

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Client]:
        self._lost = asyncio.Event()
        async with connected(self._config, self._log, self._asked) as client:
            try:
                yield client
            finally:
                self._conversations.close()

    async def _asked(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context  # it does not say to which call the question belongs
        return await self._conversations.place(params)

    async def _until_lost(self, client: Client) -> None:
        while True:
            try:
                async with asyncio.timeout(CHECK_S):
                    await self._lost.wait()
                raise ConnectionError("the connection was lost")
            except TimeoutError:
                async with asyncio.timeout(CONNECT_S):
                    await self._list_tools(client)

    async def _answers(self, client: Client) -> bool:
        try:
            async with asyncio.timeout(CHECK_S):
                await client.list_tools()
        except (MCPError, TimeoutError):
            return False
        return True

    async def _list_tools(self, client: Client) -> None:
        listed: list[McpTool] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            listed += (tool for tool in page.tools if self._config.offers(tool.name))
            cursor = page.next_cursor
            if not cursor:
                break
        self._names = names_of(self.name, [tool.name for tool in listed])
        self._tools = {tool.name: tool for tool in listed if self._has_added(tool)}

    def _has_added(self, tool: McpTool) -> bool:
        """Whether the tool can be called. It is added if it is new or has changed."""
        if tool in (self._tools.get(tool.name), self._ignored.get(tool.name)):
            return tool.name in self._tools
        try:
            require_callable(tool)
            self._offer(self._tool(tool))
        except ValueError as error:
            logger.warning("ignoring an MCP tool", server=self.name, tool=tool.name, error=str(error))
            self._ignored[tool.name] = tool
            return False
        return True

    def _tool(self, tool: McpTool) -> Tool[SchemaInput]:
        async def run(request: SchemaInput, call: CallContext) -> Json:
            return await self.call(tool, request.arguments, call)

        return Tool(
            name=self._names[tool.name],
            description=description_of(text_of(tool)),
            accepts=input_of(tool.input_schema),
            effect=effect_of(tool, self._config),
            outward=outward_of(tool, self._config),
            third_party=True,
            run=run,
            timeout_s=self._config.timeout_s + CHECK_S,
            is_available=lambda: self.has(tool.name),
        )


def _cause(error: BaseException) -> str:
    """The first error in a group, which the SDK's task groups raise."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".rstrip(": ")
