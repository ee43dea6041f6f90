"""Validation of the action of one sub-task: its tool or agent exists, and its parameters are valid."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal

import orjson

from contracts.core.event import Json
from contracts.core.tool import Fill, ToolSpec
from contracts.domain.issues import Path
from contracts.domain.plan.job import SubTask
from contracts.domain.plan.placeholders import find
from contracts.domain.plan.schema_problems import schema_problems
from contracts.domain.plan.tool_params import left_to_results

MAX_DEPTH = 64
"""Maximum nesting of lists and objects in parameters. Serializers refuse deeper nesting."""

Kind = Literal["tool", "agent"]
Problem = tuple[Path, str]
"""The path in the sub-task, and a message that says what to do."""

_CALL = "tool_or_prompt"
_PARAMS = (_CALL, "params")


class Actions:
    """The tools and agents that sub-tasks may use; None: any."""

    def __init__(self, tools: Mapping[str, ToolSpec] | None, agents: Collection[str] | None) -> None:
        self._tools = tools
        self._agents = agents
        self._schemas: dict[str, bytes] = {}
        self._advice: dict[tuple[Kind, str], str] = {}

    def problems(self, task: SubTask) -> Iterator[Problem]:
        """The problems of `task`; none if it can be executed."""
        if task.approval and task.is_inference:
            yield ("approval",), "a person can approve a tool call, not an inference: remove approval"
        if _depth_exceeds(task.tool_or_prompt.params, MAX_DEPTH):
            yield _PARAMS, f"the parameters are nested more than {MAX_DEPTH} levels deep: flatten them"
        elif task.is_inference:
            yield from self._inference_problems(task)
        else:
            yield from self._tool_problems(task)

    def approval_problems(self, approvals: Sequence[str]) -> Iterator[Problem]:
        """The problems of the tools in `approvals` of a job: each must exist."""
        for number, name in enumerate(approvals):
            if self._tools is not None and name not in self._tools:
                yield ("approvals", number), f"there is no tool {name[:80]!r}: {_closest(name, self._tools)}"

    def _inference_problems(self, task: SubTask) -> Iterator[Problem]:
        name = task.tool_or_prompt.name
        if self._agents is not None and name not in self._agents:
            yield (_CALL, "name"), self._unknown("agent", name)
        prompt = task.tool_or_prompt.params.get("prompt") or ""
        if not isinstance(prompt, str):
            yield (*_PARAMS, "prompt"), "a prompt is text: write it as a string"
        elif not (prompt.strip() or task.description.strip()):
            yield (*_PARAMS, "prompt"), "say what to do: give a prompt or a description"

    def _tool_problems(self, task: SubTask) -> Iterator[Problem]:
        if self._tools is None:
            return
        name = task.tool_or_prompt.name
        if name not in self._tools:
            yield (_CALL, "name"), self._unknown("tool", name)
            return
        for path, message in self._param_problems(self._tools[name], task):
            yield (*_PARAMS, *path), message

    def _param_problems(self, spec: ToolSpec, task: SubTask) -> Iterator[Problem]:
        params = task.tool_or_prompt.params
        supplied = left_to_results(spec, params) if task.needs else ()
        for required in spec.parameters.get("required", ()):
            if required not in supplied and (required not in params or _no_urls(spec, params, required)):
                yield (required,), f"{spec.name} needs the parameter {required!r}: give it"
        known = spec.parameters.get("properties", {})
        open_ended = spec.parameters.get("additionalProperties", True) is not False
        checkable = {
            name: value
            for name, value in params.items()
            if (open_ended or name in known) and name not in supplied and not find(value)
        }
        for path, rule, message in schema_problems(self._schema(spec), checkable):
            if rule != "additionalProperties":
                yield path, f"{spec.name}: {message}"

    def _schema(self, spec: ToolSpec) -> bytes:
        if spec.name not in self._schemas:
            schema = {key: value for key, value in spec.parameters.items() if key != "required"}
            self._schemas[spec.name] = orjson.dumps(schema)
        return self._schemas[spec.name]

    def _unknown(self, kind: Kind, name: str) -> str:
        if (kind, name) not in self._advice:
            self._advice[kind, name] = self._advise(kind, name)
        missing = "tool" if kind == "tool" else "active agent"
        return f"there is no {missing} {name[:80]!r}: {self._advice[kind, name]}"

    def _advise(self, kind: Kind, name: str) -> str:
        tools, agents = self._tools or (), self._agents or ()
        if kind == "agent":
            return "it is a tool, so set action_type to 'tool'" if name in tools else _closest(name, agents)
        return (
            "it is an agent, so set action_type to 'inference'" if name in agents else _closest(name, tools)
        )


def _closest(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name[:80], known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"use one of {', '.join(sorted(known))}" if known else "none is available"


def _no_urls(spec: ToolSpec, params: Mapping[str, Json], name: str) -> bool:
    return spec.filled_from_results.get(name) is Fill.URLS and params[name] == []


def _depth_exceeds(value: Json, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: Json) -> Collection[Json]:
    match value:
        case dict():
            return value.values()
        case list() | tuple():
            return value
        case _:
            return ()
