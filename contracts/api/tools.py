"""Tools over HTTP."""

from __future__ import annotations

from typing import Literal

from contracts.api.fields import Query, Row
from contracts.core.event import Json


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
