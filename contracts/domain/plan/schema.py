"""The JSON Schema of a job, for models with structured output."""

from __future__ import annotations

from typing import Any

from contracts.core.event import Json
from contracts.domain.plan.job import Job

NOT_PLANNED = frozenset({"approval", "approvals", "outward_calls", "budget"})
"""Fields that people set, and models do not."""


def job_schema() -> dict[str, Any]:
    """The JSON Schema of a job. All keys are required and no others are allowed, so models omit nothing.

    `params` is any object, because each tool has its own parameters. So do not use the strict mode of
    providers.
    """
    schema: dict[str, Any] = _closed(Job.model_json_schema())
    return schema


def _closed(node: Json) -> Json:
    match node:
        case {"properties": dict(properties)}:
            closed = {key: _closed(value) for key, value in node.items() if key != "title"}
            closed["properties"] = {
                name: _closed(value) for name, value in properties.items() if name not in NOT_PLANNED
            }
            return closed | {"required": list(closed["properties"]), "additionalProperties": False}
        case dict():
            return {key: _closed(value) for key, value in node.items() if key not in {"title", "default"}}
        case list():
            return [_closed(item) for item in node]
        case _:
            return node
