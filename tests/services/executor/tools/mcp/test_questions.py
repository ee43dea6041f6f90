"""A person answers what MCP servers ask during a call. The servers are real ones."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.core.event import Json
from contracts.core.outcome import Ask, Reject, Retry
from executor.tools.mcp import conversation
from executor.tools.mcp.server import McpServer
from executor.tools.registry import Registry
from executor.tools.sources import ToolSource
from executor.tools.tool import CallContext
from tests.services.executor.tools.from_sources import tools_of

if TYPE_CHECKING:
    from tests.conftest import Eventually

PROGRAM = Path(__file__).with_name("an_asking_server.py")
FIRST = CallContext("run_1/001")
GUESTS, SEATS = "it asks: How many guests at Bern?", "it asks: Outside at Bern?"
LOOK = "it asks: Look at Bern for how many?"
BERN: dict[str, Json] = {"where": "Bern"}


def servers(
    tmp_path: Path, python: str, protocol: str = "legacy"
) -> AbstractAsyncContextManager[tuple[Registry, list[ToolSource]]]:
    config = {
        "command": python,
        "args": [str(PROGRAM)],
        "env": {"CALLS": str(tmp_path / "calls")},
        "protocol": protocol,
    }
    return tools_of(tmp_path, "mcp_config", {"mcpServers": {"it": config}})


def answered(**answers: Json) -> CallContext:
    """The attempt after an answer."""
    named = {"guests": GUESTS, "seats": SEATS, "look": LOOK}
    return replace(FIRST, answers={named[key]: value for key, value in answers.items()}, is_answered=True)


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().split("\n")[:-1]


async def test_a_call_is_held_open_until_its_questions_are_answered(tmp_path: Path, python: str) -> None:
    async with servers(tmp_path, python) as (tools, _):
        book = tools.get("it__book")
        with pytest.raises(Ask) as first:
            await book.invoke(BERN, FIRST)
        assert str(first.value) == GUESTS
        assert first.value.schema
        assert first.value.schema["properties"]["guests"]["type"] == "integer"
        assert first.value.expires_in == timedelta(seconds=conversation.HELD_S)
        with pytest.raises(Ask) as second:
            await book.invoke(BERN, answered(guests={"guests": 3}))
        assert str(second.value) == SEATS
        done = answered(guests={"guests": 3}, seats={"outside": True})
        assert await book.invoke(BERN, done) == "Bern for 3, outside"
    assert calls(tmp_path) == ["book Bern"]


async def test_other_calls_go_on_while_one_is_held(tmp_path: Path, python: str) -> None:
    async with servers(tmp_path, python) as (tools, _):
        with pytest.raises(Ask):
            await tools.get("it__book").invoke(BERN, FIRST)
        other = CallContext("run_2/001", answers={LOOK: {"guests": 1}})
        assert await tools.get("it__look").invoke(BERN, other) == "Bern: accept 1"


async def test_a_call_that_must_not_be_made_twice_is_not_repeated_when_it_was_not_held(
    tmp_path: Path,
    python: str,
) -> None:
    async with servers(tmp_path, python) as (tools, _):
        with pytest.raises(Ask):
            await tools.get("it__book").invoke(BERN, FIRST)
    async with servers(tmp_path, python) as (tools, _):
        with pytest.raises(Reject, match=r"not held open.*resume to make it again with the answer"):
            await tools.get("it__book").invoke(BERN, answered(guests={"guests": 3}))
        assert calls(tmp_path) == ["book Bern"]
        resumed = replace(answered(guests={"guests": 3}, seats={"outside": False}), is_answered=False)
        assert await tools.get("it__book").invoke(BERN, resumed) == "Bern for 3, inside"


async def test_a_call_that_only_reads_is_made_again_with_the_answer(tmp_path: Path, python: str) -> None:
    async with servers(tmp_path, python) as (tools, _):
        with pytest.raises(Ask) as asked:
            await tools.get("it__look").invoke(BERN, FIRST)
        assert asked.value.expires_in == timedelta(days=7)
    async with servers(tmp_path, python) as (tools, _):
        assert await tools.get("it__look").invoke(BERN, answered(look={"guests": 2})) == "Bern: accept 2"
    assert calls(tmp_path) == ["look Bern"] * 2


async def test_a_server_of_the_newer_protocol_is_called_again_with_the_answer(
    tmp_path: Path, python: str
) -> None:
    """It holds nothing, so a call that must not be made twice can wait for as long as it takes."""
    async with servers(tmp_path, python, "auto") as (tools, _):
        with pytest.raises(Ask) as asked:
            await tools.get("it__reserve").invoke(BERN, FIRST)
        assert (str(asked.value), asked.value.expires_in) == (GUESTS, timedelta(days=7))
    async with servers(tmp_path, python, "auto") as (tools, _):
        assert await tools.get("it__reserve").invoke(BERN, answered(guests={"guests": 4})) == "Bern for 4"
    assert calls(tmp_path) == ["reserve Bern"]


async def test_a_call_is_cancelled_when_it_was_held_for_too_long(
    tmp_path: Path, python: str, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(conversation, "HELD_S", 0.0)
    async with servers(tmp_path, python) as (tools, (it,)):
        assert isinstance(it, McpServer)
        with pytest.raises(Ask):
            await tools.get("it__book").invoke(BERN, FIRST)
        await eventually(lambda: not it._conversations._held)
        with pytest.raises(Reject, match="not held open"):
            await tools.get("it__book").invoke(BERN, answered(guests={"guests": 3}))


async def test_questions_that_come_at_once_are_answered_to_nobody_and_then_one_after_the_other(
    tmp_path: Path,
    python: str,
) -> None:
    """A server of the older protocol does not say to which call its question belongs."""
    async with servers(tmp_path, python) as (tools, _):
        look = tools.get("it__look")
        places = "Bern", "Rome"
        said = await asyncio.gather(
            *(look.invoke({"where": where}, CallContext(f"run_1/{where}")) for where in places),
            return_exceptions=True,
        )
        assert {type(one) for one in said} <= {Retry, Ask}
        answers = {f"it asks: Look at {where} for how many?": {"guests": n} for n, where in enumerate(places)}
        contexts = {where: CallContext(f"run_1/{where}", answers=answers) for where in places}
        again = await asyncio.gather(*(look.invoke({"where": where}, contexts[where]) for where in places))
    assert again == ["Bern: accept 0", "Rome: accept 1"]
