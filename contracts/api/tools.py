"""Tools over HTTP."""

from __future__ import annotations

from typing import Literal

from contracts.api.fields import Query, Row
from contracts.core.event import Json
from contracts.core.tool import Effect


class ToolQuery(Query):
    """Return only this tool."""

    name: str | None = None


class ToolFunction(Row):
    """Name, purpose and parameters of a tool."""

    name: str
    description: str
    parameters: dict[str, Json]
    """JSON Schema of an object."""


class ToolDefinition(Row):
    """A tool, in the form in which language models receive it."""

    type: Literal["function"] = "function"
    function: ToolFunction
    effect: Effect
    """What a second call does. `read`: nothing. `idempotent`: nothing more. `once`: the effect twice."""
    outward: bool
    """Whether a call sends something to others. The policy `outwardCalls` applies to it."""
