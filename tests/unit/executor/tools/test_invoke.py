"""What calling a tool comes to, however it ends."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from aiohttp import ServerDisconnectedError

from contracts.core.event import Json
from contracts.core.ids import InvalidId
from contracts.core.outcome import Reject, Retry
from contracts.core.tool import Effect
from executor.tools.inputs import ToolInput
from executor.tools.tool import CallContext, Tool

CALL = CallContext("run/001")


class Nothing(ToolInput):
    """No input."""


def returning(result: Any) -> Tool[Nothing]:
    async def run(request: Nothing, call: CallContext) -> Json:
        return result

    return Tool(name="t", description="", accepts=Nothing, effect=Effect.READ, run=run)


def raising(error: Exception, effect: Effect = Effect.READ) -> Tool[Nothing]:
    async def run(request: Nothing, call: CallContext) -> Json:
        raise error

    return Tool(name="t", description="", accepts=Nothing, effect=effect, run=run)


def hanging(effect: Effect) -> Tool[Nothing]:
    async def run(request: Nothing, call: CallContext) -> Json:
        await asyncio.Event().wait()

    return Tool(name="t", description="", accepts=Nothing, effect=effect, run=run, timeout_s=0.01)


async def test_the_result_holds_no_nul_and_no_lone_surrogate() -> None:
    tool = returning({"a\x00": ["b\ud800", 1, None]})
    assert await tool.invoke({}, CALL) == {"a\ufffd": ["b\ufffd", 1, None]}


async def test_a_result_of_3_mb_comes_back_whole() -> None:
    text = "x" * 3_000_000
    assert await returning({"text": text}).invoke({}, CALL) == {"text": text}


async def test_a_result_that_is_nested_too_deep_to_be_stored_is_the_tools_fault() -> None:
    nested: Json = []
    for _ in range(252):
        nested = [nested]
    with pytest.raises(Reject, match="nested more than 100 levels"):
        await returning(nested).invoke({}, CALL)


@pytest.mark.parametrize("result", [object(), {"a": {1, 2}}, b"bytes", 1 << 70])
async def test_a_result_that_is_not_json_is_the_tools_fault(result: Any) -> None:
    with pytest.raises(Reject, match="t failed"):
        await returning(result).invoke({}, CALL)


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ({"a": [float("nan")]}, "a.0: nan is not a JSON number"),
        (float("-inf"), "the value: -inf is not a JSON number"),
        ({"a": (1 << 64,)}, "a.0: the integer 18446744073709551616 does not fit into 64 bits"),
    ],
)
async def test_a_number_that_json_cannot_hold_is_named_and_never_becomes_null(result: Any, says: str) -> None:
    with pytest.raises(Reject, match=re.escape(says)):
        await returning(result).invoke({}, CALL)


@pytest.mark.parametrize("effect", [Effect.READ, Effect.IDEMPOTENT])
async def test_a_repeatable_tool_that_hangs_is_retried(effect: Effect) -> None:
    with pytest.raises(Retry, match=r"t did not finish within 0\.01 s"):
        await hanging(effect).invoke({}, CALL)


async def test_a_tool_that_must_not_be_repeated_is_not_retried_when_it_hangs() -> None:
    """Whether it took effect is unknown: someone has to look."""
    with pytest.raises(Reject, match="it may have taken effect"):
        await hanging(Effect.ONCE).invoke({}, CALL)


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), ServerDisconnectedError()])
async def test_a_network_error_is_retried_unless_the_tool_must_not_be_repeated(error: Exception) -> None:
    with pytest.raises(Retry, match="t was interrupted"):
        await raising(error).invoke({}, CALL)
    with pytest.raises(Reject, match="may have taken effect"):
        await raising(error, Effect.ONCE).invoke({}, CALL)


async def test_a_tool_that_must_not_be_repeated_may_still_say_that_nothing_happened() -> None:
    with pytest.raises(Retry) as later:
        await raising(Retry("busy", after=7), Effect.ONCE).invoke({}, CALL)
    assert later.value.after == 7


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), FileNotFoundError("gone")])
async def test_a_tool_that_breaks_fails_its_step_with_the_reason(error: Exception) -> None:
    with pytest.raises(Reject, match=f"t failed: {type(error).__name__}: {error}"):
        await raising(error).invoke({}, CALL)


@pytest.mark.parametrize("error", [Retry("a\ud800"), Reject("a\ud800"), ValueError("a\ud800")])
async def test_reasons_hold_no_lone_surrogate(error: Exception) -> None:
    with pytest.raises((Retry, Reject)) as raised:
        await raising(error).invoke({}, CALL)
    assert str(raised.value).endswith("a\ufffd")


async def test_a_cancelled_tool_is_cancelled() -> None:
    started = asyncio.Event()

    async def run(request: Nothing, call: CallContext) -> Json:
        started.set()
        await asyncio.Event().wait()

    tool = Tool(name="t", description="", accepts=Nothing, effect=Effect.ONCE, run=run)
    task = asyncio.create_task(tool.invoke({}, CALL))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_tool_needs_a_name_that_the_catalogue_can_hold() -> None:
    with pytest.raises(InvalidId):
        Tool(name="a b", description="", accepts=Nothing, effect=Effect.READ, run=returning(None).run)
