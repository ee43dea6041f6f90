"""Tools over HTTP."""

from __future__ import annotations

from typing import Literal

from contracts.api.fields import Query, Row
from contracts.core.event import Json


class ToolQuery(Query):
    """One tool instead of all."""

    name: str | None = None


class ToolFunction(Row):
    """What a tool is called, does and takes."""

    name: str
    description: str
    parameters: dict[str, Json]
    """JSON Schema of an object."""


class ToolDefinition(Row):
    """A tool as language models are told of it."""

    type: Literal["function"] = "function"
    function: ToolFunction
