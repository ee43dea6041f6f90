"""remember: the tool with which an agent stores a fact for the next run of its goal. Only goal runs have
it.
"""

from __future__ import annotations

from pydantic import Field

from contracts.core.event import Json
from contracts.core.tool import Effect, Source
from executor.tools.inputs import ToolInput
from executor.tools.tool import CallContext, Tool

NAME = "remember"


class Remember(ToolInput):
    """The fact to remember."""

    fact: str = Field(min_length=1, max_length=2000, description="One fact, in a sentence that stands alone")


async def _run(request: Remember, _: CallContext) -> Json:
    return {"remembered": request.fact}


REMEMBER = Tool(
    name=NAME,
    description="Keep one fact for the next run of this goal, if it will still matter then.",
    accepts=Remember,
    effect=Effect.IDEMPOTENT,
    source=Source.CALL,
    run=_run,
    timeout_s=5,
)
"""The call does nothing else: after the run, the facts are read from the calls in the log."""
