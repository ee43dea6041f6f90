"""Validation of the action of one sub-task: its tool or agent exists, and its parameters are valid."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import orjson

from contracts.core.event import Json
from contracts.core.tool import Fill, ToolSpec
from contracts.domain.issues import Path
from contracts.domain.plan.job import SubTask
from contracts.domain.plan.placeholders import find
from contracts.domain.plan.tool_params import left_to_results

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

MAX_DEPTH = 64
"""Maximum nesting of lists and objects in parameters. Serializers refuse deeper nesting."""
_MAX_MESSAGE = 300

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
        self._validators: dict[str, Draft202012Validator] = {}
        self._advice: dict[tuple[Kind, str], str] = {}

    def problems(self, task: SubTask) -> Iterator[Problem]:
        """The problems of `task`; none if it can be executed."""
        if _depth_exceeds(task.tool_or_prompt.params, MAX_DEPTH):
            yield _PARAMS, f"the parameters are nested more than {MAX_DEPTH} levels deep: flatten them"
        elif task.is_inference:
            yield from self._inference_problems(task)
        else:
            yield from self._tool_problems(task)

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
        for error in self._validator(spec).iter_errors(checkable):
            if error.validator != "additionalProperties":
                yield tuple(error.absolute_path), _message(spec, error)

    def _validator(self, spec: ToolSpec) -> Draft202012Validator:
        if spec.name not in self._validators:
            schema = {key: value for key, value in spec.parameters.items() if key != "required"}
            self._validators[spec.name] = _validator(orjson.dumps(schema))
        return self._validators[spec.name]

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


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Draft202012Validator:
    """The validator of a schema as JSON text. Cached, because making one takes longer than using it."""
    from jsonschema import Draft202012Validator, FormatChecker  # noqa: PLC0415 - heavy; most processes plan nothing

    formats = FormatChecker(["email"])
    formats.checks("uri", raises=ValueError)(_is_absolute_url)
    return Draft202012Validator(orjson.loads(schema), format_checker=formats)


def _closest(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name[:80], known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"use one of {', '.join(sorted(known))}" if known else "none is available"


def _no_urls(spec: ToolSpec, params: Mapping[str, Json], name: str) -> bool:
    return spec.filled_from_results.get(name) is Fill.URLS and params[name] == []


def _message(spec: ToolSpec, error: ValidationError) -> str:
    python, message = repr(error.instance), error.message
    if not isinstance(error.instance, str) and message.startswith(python):
        message = json.dumps(error.instance, ensure_ascii=False) + message.removeprefix(python)
    message = message if len(message) <= _MAX_MESSAGE else f"…{message[-_MAX_MESSAGE:]}"
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    return f"{spec.name}: {message}; give {_wanted(schema)}"


def _wanted(schema: Mapping[str, Json]) -> str:
    """The allowed values, in words."""
    if "anyOf" in schema:
        return " or ".join(map(_wanted, schema["anyOf"]))
    if "enum" in schema:
        return f"one of {', '.join(map(repr, schema['enum']))}"
    given = schema.get("type", [])
    types: list[str] = given if isinstance(given, list) else [given]
    named = " or ".join(_TYPES.get(one, one) for one in types)
    kind = _FORMATS.get(schema.get("format", "")) or named or "another value"
    bounds = " and ".join(words.format(schema[key]) for key, words in _BOUNDS.items() if key in schema)
    return f"{kind} {bounds}".strip()


_TYPES = {
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
}
_FORMATS = {
    "uri": "an absolute URL such as https://example.com/page",
    "email": "an e-mail address such as name@example.com",
}
_BOUNDS = {
    "minimum": "of at least {}",
    "maximum": "of at most {}",
    "minLength": "of at least {} character(s)",
    "maxLength": "of at most {} character(s)",
    "minItems": "of at least {} item(s)",
    "maxItems": "of at most {} item(s)",
    "pattern": "that matches {}",
}


def _is_absolute_url(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)


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
