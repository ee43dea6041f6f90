"""Tools of MCP servers are offered, called and lost like tools of our own. The servers are real ones."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.outcome import Reject, Retry
from contracts.core.tool import Effect
from deploy.local.ports import free_port
from executor.tools.mcp import server as mcp_server
from executor.tools.registry import Registry
from executor.tools.sources import ToolSource
from executor.tools.tool import CallContext
from tests.services.executor.tools.from_sources import tools_of

if TYPE_CHECKING:
    from tests.conftest import Eventually

PROGRAM = Path(__file__).with_name("a_server.py")
CALL = CallContext("run_1/001")


def servers(tmp_path: Path, **config: Any) -> AbstractAsyncContextManager[tuple[Registry, list[ToolSource]]]:
    """A registry with the tools of the server `it`, which is configured as `config` says."""
    return tools_of(tmp_path, "mcp_config", {"mcpServers": {"it": config}})


def command(python: str, **more: Any) -> dict[str, Any]:
    return {"command": python, "args": [str(PROGRAM)], **more}


async def test_tools_of_a_command_are_offered_and_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASS", "secret-of-the-executor")
    monkeypatch.setenv("TOKEN", "value-of-the-token")
    async with servers(tmp_path, **command(sys.executable, env={"GIVEN": "${TOKEN}"}, deny=["crash"])) as (
        tools,
        _,
    ):
        assert set(tools.available) == {
            f"it__{name}"
            for name in (
                "weather",
                "backtracking",
                "text",
                "listing",
                "fails",
                "picture",
                "secret_of_executor",
                "slow",
            )
        }
        spec = tools.get("it__weather").spec
        assert spec.description == "The weather of a city."
        assert set(spec.parameters["properties"]) == {"city", "days"}
        assert spec.parameters["required"] == ["city"]
        assert [tools.get(f"it__{name}").effect for name in ("weather", "text", "listing")] == [
            Effect.READ,
            Effect.IDEMPOTENT,
            Effect.ONCE,
        ]
        assert await tools.get("it__weather").invoke({"city": "Bern"}, CALL) == {
            "city": "Bern",
            "degrees": 21.5,
        }
        assert await tools.get("it__weather").invoke({"City": "Bern"}, CALL) == {
            "city": "Bern",
            "degrees": 21.5,
        }
        assert await tools.get("it__text").invoke({}, CALL) == "plain"
        assert await tools.get("it__listing").invoke({}, CALL) == [{"a": 1}]
        (image,) = await tools.get("it__picture").invoke({}, CALL)
        assert image == {"type": "image", "mimeType": "image/png", "path": "mcp/it/run_1-001-1.png"}
        assert (tmp_path / "artifacts" / image["path"]).read_bytes() == b"\x89PNG"
        seen = await tools.get("it__secret_of_executor").invoke({}, CALL)
        assert seen == "unset [redacted]"


async def test_a_result_is_not_checked_by_the_patterns_of_its_server(tmp_path: Path, python: str) -> None:
    async with servers(tmp_path, **command(python)) as (tools, _):
        answer = await tools.get("it__backtracking").invoke({}, CALL)
        assert answer == {"text": "a" * 50 + "!"}


async def test_a_tool_that_can_be_called_as_a_task_only_is_not_offered(tmp_path: Path, python: str) -> None:
    program = Path(__file__).with_name("a_tasks_server.py")
    config = {"command": python, "args": [str(program)], "protocol": "legacy"}
    async with servers(tmp_path, **config) as (tools, _):
        assert tools.available == ("it__quick",)
        assert await tools.get("it__quick").invoke({}, CALL) == "done"


async def test_a_failed_call_and_wrong_parameters_are_refused(tmp_path: Path, python: str) -> None:
    async with servers(tmp_path, **command(python)) as (tools, _):
        with pytest.raises(Reject, match="no such flight"):
            await tools.get("it__fails").invoke({}, CALL)
        with pytest.raises(Reject, match="days: 'two' is not of type 'integer'"):
            await tools.get("it__weather").invoke({"city": "Bern", "days": "two"}, CALL)
        with pytest.raises(Reject, match="'city' is a required property"):
            await tools.get("it__weather").invoke({}, CALL)


async def test_progress_is_sent_to_watchers(tmp_path: Path, python: str) -> None:
    told: list[tuple[str, str, str]] = []

    async def tell(kind: str, tool: str, message: str) -> None:
        told.append((kind, tool, message))

    async with servers(tmp_path, **command(python)) as (tools, _):
        assert await tools.get("it__slow").invoke({}, CallContext("run_1/001", tell)) == "done"
    assert told == [("progress", "it__slow", "half of it")]


async def test_a_call_that_a_crash_cut_short_is_not_repeated_and_the_server_comes_back(
    tmp_path: Path, python: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_server, "FIRST_PAUSE_S", 0.2)
    crashes = tmp_path / "crashes"
    async with servers(tmp_path, **command(python, env={"CRASHES": str(crashes)})) as (tools, _):
        with pytest.raises(Reject, match="may have taken effect"):
            await tools.get("it__crash").invoke({}, CALL)
        assert tools.available == ()
        with pytest.raises(Retry, match="is not connected"):
            await tools.get("it__text").invoke({}, CALL)
        await eventually(lambda: "it__text" in tools.available)
        assert await tools.get("it__text").invoke({}, CALL) == "plain"
    assert crashes.read_text() == "x"


async def test_a_command_that_does_not_exist_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executor.tools.sources.START_S", 0.1)
    async with servers(tmp_path, command="no-such-command") as (tools, found):
        assert not found[0].listed.is_set()
        assert tools.available == ()
        with pytest.raises(Retry, match="it has not answered yet"):
            tools.get("it__text")
        with pytest.raises(Reject, match="Tool not found"):
            tools.get("other__text")


async def test_tools_of_a_url_are_offered_and_called(
    tmp_path: Path, python: str, eventually: Eventually
) -> None:
    port = free_port("127.0.0.1", 0)
    process = await asyncio.create_subprocess_exec(
        python, str(PROGRAM), "http", str(port), env=dict(os.environ), stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        await eventually(lambda: accepts(port))
        async with servers(tmp_path, url=f"http://127.0.0.1:{port}/mcp", effects={"listing": "read"}) as (
            tools,
            _,
        ):
            assert tools.get("it__listing").effect is Effect.READ
            assert await tools.get("it__weather").invoke({"city": "Bern"}, CALL) == {
                "city": "Bern",
                "degrees": 21.5,
            }
    finally:
        process.kill()
        await process.wait()


def accepts(port: int) -> bool:
    """Whether a server listens."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
