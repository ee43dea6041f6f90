"""Corrects ids, dependencies and action types in plans of models if their meaning is unambiguous. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from contracts.core.event import Json
from contracts.domain.plan.job import NO_DEPENDENCY

_NONE = frozenset({"", NO_DEPENDENCY, "null", "n/a", "[]", "-"})
_SEPARATORS = re.compile(r"\s*(?:,|;|\band\b|&)\s*")
_KINDS = {
    "tool": "tool",
    "tools": "tool",
    "inference": "inference",
    "llm": "inference",
    "prompt": "inference",
}


def coerced(document: Mapping[str, Json]) -> dict[str, Json]:
    """The plan with ids as text and dependencies as lists of text. Ambiguous values are unchanged."""
    plan = dict(document)
    tasks = plan.get("sub_tasks")
    if isinstance(tasks, Mapping):  # tasks by id
        tasks = [{"id": id_, **task} for id_, task in tasks.items() if isinstance(task, Mapping)]
    if isinstance(tasks, list):
        plan["sub_tasks"] = [_task(task) if isinstance(task, Mapping) else task for task in tasks]
    return plan


def _task(given: Mapping[str, Json]) -> dict[str, Any]:
    task = dict(given)
    if "id" in task:
        task["id"] = _id(task["id"])
    task["dependencies"] = _dependencies(task.get("dependencies"))
    kind = task.get("action_type")
    if isinstance(kind, str):
        task["action_type"] = _KINDS.get(kind.strip().lower(), kind.strip().lower())
    return task


def _dependencies(value: Json) -> Json:
    if value is None or (isinstance(value, str) and value.strip().lower() in _NONE):
        return []
    if isinstance(value, str):
        return [part for part in _SEPARATORS.split(value.strip().strip("[]")) if part]
    if isinstance(value, list):
        return [_id(one) for one in value if one is not None]
    return [_id(value)] if isinstance(value, int | float) and not isinstance(value, bool) else value


def _id(value: Json) -> Json:
    """An id as text: `1`, 1 and 1.0 are the same. Of an object, its `id`."""
    match value:
        case bool():
            return value
        case int():
            return str(value)
        case float() if value.is_integer():
            return str(int(value))
        case str():
            return value.strip()
        case {"id": id_}:
            return _id(id_)
    return value
