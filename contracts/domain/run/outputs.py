"""What a tool call leaves outside its run. Pure."""

from __future__ import annotations

import orjson

from contracts.core.event import Json
from contracts.core.tool import OutputSpec
from contracts.domain.run.events import Output


def output_of(spec: OutputSpec | None, result: Json) -> Output | None:
    """What a call whose tool declares `spec` has left, as its `result` describes it."""
    if spec is None or not isinstance(result, dict):
        return None
    described = {name: result[name] for name in spec.fields if name in result}
    if not described:
        return None
    if len(spec.fields) > 1:
        return Output(kind=spec.kind, content=orjson.dumps(described).decode())
    (value,) = described.values()
    return Output(kind=spec.kind, content=value if isinstance(value, str) else orjson.dumps(value).decode())
