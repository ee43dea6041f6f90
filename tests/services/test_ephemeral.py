"""What an executor and a projector only hint at never fails anything, whatever becomes of NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from contracts.core.event import Json
from contracts.core.subjects import EXECUTOR_ALIVE
from contracts.core.tool import Effect
from contracts.domain import executors
from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.nats.retry import NoAnswer
from deploy.local.nats_server import NatsServer
from executor import service
from executor.settings import ExecutorSettings
from executor.tools.inputs import ToolInput
from executor.tools.registry import Registry
from executor.tools.tool import CallContext, Tool

if TYPE_CHECKING:
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


@pytest.fixture
async def cut_off(nats_server: NatsServer, eventually: Eventually) -> AsyncGenerator[Connection]:
    """A connection whose server has gone away and which has no room left for anything."""
    async with connect(nats_server.url, name="test", pending_bytes=64) as connection:
        await nats_server.stop()
        await eventually(lambda: not connection.is_connected)
        with suppress(NoAnswer):
            while True:
                await connection.publish("filler", b"x" * 16)
        yield connection


async def test_an_executor_lives_on_while_nobody_can_see_it(
    cut_off: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "INTERVAL_S", 0.001)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await service._announce(cut_off, ExecutorSettings(_env_file=None), Registry({}))


def tool(name: str, *, is_available: bool = True) -> Tool[ToolInput]:
    async def run(_: ToolInput, __: CallContext) -> Json:
        return None

    return Tool(name, "", ToolInput, Effect.READ, run, is_available=lambda: is_available)


async def test_an_executor_tells_the_tools_that_it_can_call(
    nats_server: NatsServer, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "INTERVAL_S", 0.001)
    heard: list[bytes] = []
    tools = {
        "fetchPage": tool("fetchPage"),
        "noop": tool("noop"),
        "away": tool("away", is_available=False),
    }
    async with connect(nats_server.url, name="test") as connection:
        await connection.listen(EXECUTOR_ALIVE, heard.append)
        seen = asyncio.ensure_future(
            service._announce(connection, ExecutorSettings(_env_file=None), Registry(tools))
        )
        await eventually(lambda: heard)
        seen.cancel()
    assert executors.ExecutorAlive.model_validate_json(heard[0]).tools == ("fetchPage", "noop")


async def test_progress_of_a_tool_without_a_connection_is_dropped(cut_off: Connection) -> None:
    said = executors.ToolProgress(kind="progress", tool="fetchPage", message="half way", step="001")
    await service._publish_live(cut_off, "run_1", said.model_dump())


async def test_progress_of_a_tool_may_be_any_text_of_any_length(nats_server: NatsServer) -> None:
    async with connect(nats_server.url, name="test") as connection:
        for message in ("half \ud800 way", "x" * 2_000_000):
            await service._publish_live(connection, "run_1", {"kind": "progress", "message": message})
        await connection.fence()
