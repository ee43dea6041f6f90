"""Corrects the form of plans of models where their meaning is unambiguous. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from contracts.core.event import Json
from contracts.core.foreign_json import parse_json
from contracts.core.tool import ToolSpec, keys_as_declared
from contracts.domain.plan.job import NO_DEPENDENCY
from contracts.domain.plan.schema import NOT_PLANNED
from contracts.llm.text_calls import resolve_name

_NONE = frozenset({"", NO_DEPENDENCY, "null", "n/a", "[]", "-"})
_SEPARATORS = re.compile(r"\s*(?:,|;|\band\b|&)\s*")
_MAX_DIGITS = 9
_KINDS = {
    "tool": "tool",
    "tools": "tool",
    "tool_call": "tool",
    "function": "tool",
    "inference": "inference",
    "llm": "inference",
    "prompt": "inference",
}
_PARAMS = ("parameters", "arguments", "args", "input")
"""Other words of models for `params`."""
_DEPENDENCIES = ("depends_on", "dependsOn", "depends", "depend_on", "prerequisites", "requires", "blocked_by")
"""Other words of models for `dependencies`. If they were ignored, a step would run before what it needs."""
_STEP = re.compile(r"(?:(?:sub[ _-]?)?task|step|node|id)?[ _:#-]*(\d+)\W*", re.IGNORECASE)


def coerced(document: Mapping[str, Json], tools: Mapping[str, ToolSpec]) -> dict[str, Json]:
    """The plan with ids as text, dependencies as lists of text, and tools and parameters as declared.

    Ambiguous values are unchanged. An object around the plan, such as `{"plan": {…}}`, is removed, and so is
    what only people set.
    """
    plan = {key: value for key, value in _unwrapped(document).items() if key not in NOT_PLANNED}
    tasks = plan.get("sub_tasks")
    if isinstance(tasks, Mapping):  # tasks by id
        tasks = [{"id": id_, **task} for id_, task in tasks.items() if isinstance(task, Mapping)]
    if isinstance(tasks, list):
        coerced_tasks = [_task(task, tools) if isinstance(task, Mapping) else task for task in tasks]
        ids = [task["id"] for task in coerced_tasks if isinstance(task, dict) and "id" in task]
        plan["sub_tasks"] = [_with_known_ids(task, ids) for task in coerced_tasks]
    return plan


def _with_known_ids(task: Json, ids: Sequence[Json]) -> Json:
    """The task with dependencies as the ids of the plan spell them: `step 1` or `1.` for `1`."""
    if not isinstance(task, dict) or not isinstance(task.get("dependencies"), list):
        return task
    return {**task, "dependencies": [_known_id(one, ids) for one in task["dependencies"]]}


def _known_id(dependency: Json, ids: Sequence[Json]) -> Json:
    number = None if dependency in ids else _number(dependency)
    same = [id_ for id_ in ids if number is not None and _number(id_) == number]
    return same[0] if len(same) == 1 else dependency


def _number(id_: Json) -> int | None:
    """The number in an id such as `1`, `001`, `step_1` or `Task 1.`; None: it has other words."""
    found = _STEP.fullmatch(id_.strip()) if isinstance(id_, str) else None
    return int(found[1]) if found and len(found[1]) <= _MAX_DIGITS else None


def _unwrapped(document: Mapping[str, Json]) -> Mapping[str, Json]:
    if "sub_tasks" in document:
        return document
    plans = [value for value in document.values() if isinstance(value, Mapping) and "sub_tasks" in value]
    return plans[0] if len(plans) == 1 else document


def _task(given: Mapping[str, Json], tools: Mapping[str, ToolSpec]) -> dict[str, Any]:
    task = dict(given)
    if "id" in task:
        task["id"] = _id(task["id"])
    others = [key for key in _DEPENDENCIES if key in task]
    if task.get("dependencies") is None and len(others) == 1:
        task["dependencies"] = task.pop(others[0])
    task["dependencies"] = _dependencies(task.get("dependencies"))
    kind = task.get("action_type")
    if isinstance(kind, str):
        task["action_type"] = _KINDS.get(kind.strip().lower(), kind.strip().lower())
    if task.get("action_type") == "tool" and isinstance(action := task.get("tool_or_prompt"), Mapping):
        task["tool_or_prompt"] = _call(action, tools)
    return task


def _call(given: Mapping[str, Json], tools: Mapping[str, ToolSpec]) -> dict[str, Any]:
    call = dict(given)
    others = [key for key in _PARAMS if key in call]
    if "params" not in call and len(others) == 1:
        call["params"] = call.pop(others[0])
    if isinstance(call.get("params"), str):
        call["params"] = _object(call["params"])
    if isinstance(call.get("name"), str):
        call["name"] = resolve_name(call["name"], tools)
    tool, params = tools.get(str(call.get("name"))), call.get("params")
    if tool and isinstance(params, Mapping):
        call["params"] = keys_as_declared(params, tool.parameters.get("properties", {}))
    return call


def _object(text: str) -> Json:
    """The JSON object in `text`; else `text`, also if it has an integer beyond 64 bits."""
    try:
        value = parse_json(text.encode())
    except ValueError:
        return text
    return value if isinstance(value, dict) else text


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
