"""Tools whose effects are written down outside the system. Executors load them as plug-ins."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from pydantic import Field

from contracts.core.event import Json
from contracts.core.tool import Effect
from executor.tools.inputs import ToolInput
from executor.tools.tool import CallContext, Tool

EFFECTS = "CHAOS_EFFECTS"
"""The environment variable that names the file of effects: one JSON object a line."""


class Work(ToolInput):
    """What to do."""

    ms: int = Field(default=0, ge=0)
    """How long to take, half of it before the effect."""
    size: int = Field(default=10, ge=0)
    """Characters of the result."""
    given: str = ""
    """Comes back as its length."""


def tool(name: str, effect: Effect) -> Tool[Work]:
    """A tool that writes a line into the file of effects."""

    async def run(work: Work, context: CallContext) -> Json:
        await asyncio.sleep(work.ms / 2000)
        line = json.dumps({"key": context.idempotency_key, "tool": name, "effect": effect.value}) + "\n"
        with Path(os.environ[EFFECTS]).open("a") as file:
            file.write(line)
        await asyncio.sleep(work.ms / 2000)
        return {"data": context.idempotency_key[-1:] * work.size, "given": len(work.given)}

    return Tool(
        name=name,
        description=f"Do something that is {effect.value}.",
        accepts=Work,
        effect=effect,
        run=run,
        timeout_s=120,
    )


READ, IDEMPOTENT, ONCE = (tool(f"chaos{effect.value.title()}", effect) for effect in Effect)
ALL = [READ, IDEMPOTENT, ONCE]
WITHOUT_ONCE = [READ, IDEMPOTENT]
