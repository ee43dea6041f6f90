"""The side effects (outputs) of tool calls. Pure."""

from __future__ import annotations

import orjson

from contracts.core.event import Json
from contracts.core.tool import OutputSpec
from contracts.domain.run.events import Output


def output_of(spec: OutputSpec | None, result: Json) -> Output | None:
    """The output of a tool call, taken from its `result` as `spec` declares; None if there is none."""
    if spec is None or not isinstance(result, dict):
        return None
    described = {name: result[name] for name in spec.fields if name in result}
    if not described:
        return None
    if len(spec.fields) > 1:
        return Output(kind=spec.kind, content=orjson.dumps(described).decode())
    (value,) = described.values()
    return Output(kind=spec.kind, content=value if isinstance(value, str) else orjson.dumps(value).decode())
