"""Tools that do nothing. Benchmarks load them by TOOL_MODULES to measure the rest of the system."""

from __future__ import annotations

import asyncio
import time

from pydantic import Field

from contracts.core.event import Json
from contracts.core.tool import Effect
from executor.tools.inputs import ToolInput
from executor.tools.tool import CallContext, Tool

PADDING = "x" * 280
"""Filler for results of about 300 bytes."""


class NoopInput(ToolInput):
    """No parameters."""


class SleepInput(ToolInput):
    """Duration of the step."""

    ms: int = Field(ge=0)


async def _noop(_: NoopInput, __: CallContext) -> Json:
    return {"at_ns": time.time_ns(), "padding": PADDING}


async def _sleep(wanted: SleepInput, _: CallContext) -> Json:
    begun = time.time_ns()
    await asyncio.sleep(wanted.ms / 1000)
    return {"at_ns": begun}


TOOLS: list[Tool[NoopInput] | Tool[SleepInput]] = [
    Tool(
        name="benchNoop",
        description="Do nothing and return the time.",
        accepts=NoopInput,
        effect=Effect.READ,
        run=_noop,
    ),
    Tool(
        name="benchWrite",
        description="As benchNoop, but with side effects: it starts after its start is in the log.",
        accepts=NoopInput,
        effect=Effect.IDEMPOTENT,
        run=_noop,
    ),
    Tool(
        name="benchSleep",
        description="Sleep and return the start time.",
        accepts=SleepInput,
        effect=Effect.IDEMPOTENT,
        run=_sleep,
        timeout_s=120,
    ),
]
