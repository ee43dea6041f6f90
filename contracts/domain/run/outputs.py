"""What a tool call leaves outside its run, for the tools that are there for that. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from contracts.core.event import Json
from contracts.domain.run import Output

LEAVING = frozenset({"writeFile", "sendWebhook", "sendEmail"})
"""Tools that are there for what they leave."""


def output_of(tool: str, result: Json) -> Output | None:
    """What a call that gave `result` has left."""
    if not isinstance(result, dict):
        return None
    match tool:
        case "writeFile":
            return Output(kind="file", content=str(result.get("path")))
        case "sendWebhook":
            return Output(kind="webhook", content=_only(result, ("url", "status", "success")))
        case "sendEmail":
            return Output(kind="email", content=_only(result, ("to", "subject", "messageId")))
    return None


def _only(result: dict[str, Json], names: Iterable[str]) -> str:
    return orjson.dumps({name: result[name] for name in names if name in result}).decode()
