"""The formats in which families of models write tool calls into text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from re import Match, Pattern
from typing import NamedTuple

from contracts.core.event import Json
from contracts.llm.written import arguments_of

NAME_KEYS = ("name", "tool", "tool_name", "function", "action", "recipient_name")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "action_input", "params", "tool_input")
_OWN_KEYS = frozenset({"id", "type", "description", *_ARGUMENT_KEYS})
"""Keys of a call that are not arguments."""


class WrittenCall(NamedTuple):
    """A call as the model wrote it: a name, and arguments in any format."""

    name: str
    arguments: Json


Reader = Callable[[Match[str]], Iterator[WrittenCall]]


@dataclass(frozen=True, slots=True)
class Form:
    """One format of calls."""

    pattern: Pattern[str]
    read: Reader


def calls_of(value: Json) -> Iterator[WrittenCall]:
    """The calls in a JSON value, with any of the known keys."""
    match value:
        case list():
            for item in value:
                yield from calls_of(item)
        case {"tool_calls": list(calls)} | {"tool_uses": list(calls)}:
            yield from calls_of(calls)
        case {"tool_call": dict(call)}:
            yield from calls_of(call)
        case {"function": {"name": str(name)}}:
            yield WrittenCall(name, _arguments(value["function"]))
        case dict():
            key = next((key for key in NAME_KEYS if isinstance(value.get(key), str)), "")
            if key and value[key]:
                yield WrittenCall(value[key], _arguments(value, key))


def _arguments(call: Mapping[str, Json], name_key: str = "name") -> Json:
    """The arguments of a call: under one of the known keys, or all keys except those of the call itself."""
    named = next((call[key] for key in _ARGUMENT_KEYS if key in call), None)
    return {key: call[key] for key in call if key not in (name_key, *_OWN_KEYS)} if named is None else named


def _json_or_xml(match: Match[str]) -> Iterator[WrittenCall]:
    """The calls between `<tool_call>` marks: JSON, a function with parameters, or names and values."""
    body = match["body"].strip()
    if body.startswith(("<function", "<invoke")):
        for function in _FUNCTION.finditer(body):
            yield from _function(function)
    elif body.startswith(("{", "[")):
        yield from calls_of(_loads(body))
    elif pairs := _ARGUMENT_PAIR.findall(body):
        yield WrittenCall(body.partition("<")[0].strip(), {key.strip(): _value(text) for key, text in pairs})
    elif named := re.fullmatch(r"(?P<name>[\w.-]+)\s*(?P<arguments>\{.*\})", body, re.DOTALL):
        yield WrittenCall(named["name"], named["arguments"])


def _function(match: Match[str]) -> Iterator[WrittenCall]:
    """The call in `<function=name>` or `<invoke name="name">` with parameters or one JSON object."""
    body = match["body"].strip()
    parameters = _PARAMETER.findall(body)
    yield WrittenCall(match["name"], {key: _value(text) for key, text in parameters} if parameters else body)


def _named(match: Match[str]) -> Iterator[WrittenCall]:
    yield WrittenCall(match["name"], match["arguments"])


def _json_list(match: Match[str]) -> Iterator[WrittenCall]:
    yield from calls_of(_loads(match["body"]))


_FUNCTION = re.compile(
    r"<(?:function|invoke)(?:=|\s+name=)\"?(?P<name>[\w.:-]+)\"?\s*>(?P<body>.*?)(?:</(?:function|invoke)>|\Z)",
    re.DOTALL,
)
_PARAMETER = re.compile(
    r"<parameter(?:=|\s+name=)\"?([\w.-]+)\"?[^>]*>\n?(.*?)\n?</parameter>",
    re.DOTALL,
)
_ARGUMENT_PAIR = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)

FORMS = (
    Form(
        re.compile(
            r"<(?:tool_?calls?|function_?call|tool_use)>(?P<body>.*?)"
            r"(?:</(?:tool_?calls?|function_?call|tool_use)>|(?=<(?:tool|function)_call>)|\Z)",
            re.DOTALL | re.IGNORECASE,
        ),
        _json_or_xml,
    ),
    Form(
        re.compile(
            r"(?:<\|start\|>\w*\s*)?(?:<\|channel\|>\w+\s+)?to=(?:functions\.)?(?P<name>[\w.-]+)[^<{]*"
            r"(?:<\|(?:channel|constrain)\|>\s*\w+\s*)*<\|message\|>(?P<arguments>\{.*?\})\s*"
            r"(?:<\|(?:call|end|return)\|>|(?=<\|start\|>)|\Z)",
            re.DOTALL,
        ),
        _named,
    ),
    Form(
        re.compile(
            r"<\uff5ctool\u2581call\u2581begin\uff5c>(?:function<\uff5ctool\u2581sep\uff5c>)?(?P<name>[\w.-]+)(?:<\uff5ctool\u2581sep\uff5c>|\s*\n)"
            r"(?P<arguments>.*?)<\uff5ctool\u2581call\u2581end\uff5c>",
            re.DOTALL,
        ),
        _named,
    ),
    Form(
        re.compile(
            r"<\|tool_call_begin\|>\s*(?:functions\.)?(?P<name>[\w.-]+?)(?::\d+)?\s*"
            r"<\|tool_call_argument_begin\|>(?P<arguments>.*?)<\|tool_call_end\|>",
            re.DOTALL,
        ),
        _named,
    ),
    Form(
        re.compile(
            r"\[TOOL_CALLS\]\s*(?P<name>[\w.-]+)(?:\[CALL_ID\]\w*)?\[ARGS\]\s*(?P<arguments>\{.*?\})\s*"
            r"(?=\[TOOL_CALLS\]|</s>|\Z)",
            re.DOTALL,
        ),
        _named,
    ),
    Form(
        re.compile(
            r"^[ \t>*]*Action:\**[ \t]*`?(?P<name>[\w.-]+)`?[ \t]*\n+[ \t>*]*Action Input:\**\s*"
            r"(?P<arguments>(?:```\w*\s*)?\{.*?\}(?:\s*```)?)\s*"
            r"(?=^[ \t>*]*(?:Observation|Thought|Action):|\Z)",
            re.DOTALL | re.MULTILINE,
        ),
        _named,
    ),
    Form(
        re.compile(
            r"✿FUNCTION✿:\s*(?P<name>[\w.-]+)\s*✿ARGS✿:\s*(?P<arguments>\{.*?\})\s*(?=✿|\Z)", re.DOTALL
        ),
        _named,
    ),
    Form(
        re.compile(r"<\|action_start\|>\s*(?:<\|plugin\|>)?(?P<body>.*?)(?:<\|action_end\|>|\Z)", re.DOTALL),
        _json_list,
    ),
    Form(re.compile(r"\[TOOL_CALLS\]\s*(?P<body>[\[{].*)\Z", re.DOTALL), _json_list),
    Form(re.compile(r"\[TOOL_REQUEST\](?P<body>.*?)(?:\[END_TOOL_REQUEST\]|\Z)", re.DOTALL), _json_list),
    Form(re.compile(r"<\|START_ACTION\|>(?P<body>.*?)<\|END_ACTION\|>", re.DOTALL), _json_list),
    Form(re.compile(r"<\|python_tag\|>\s*(?P<body>\{.*\})", re.DOTALL), _json_list),
    Form(_FUNCTION, _function),
    Form(re.compile(r"```tool_calls?\s*\n(?P<body>.*?)```", re.DOTALL), _json_list),
    Form(re.compile(r"<\|tool_call\|>(?P<body>\[.*?\])<\|/tool_call\|>", re.DOTALL), _json_list),
)

LOOKS_LIKE_A_CALL = re.compile(
    r"<tool_calls?>|<function_?calls?>|<tool_use>|<use_mcp_tool>|<start_function_call>|<\|action_start\|>|✿FUNCTION✿|<invoke\s+name=|<function=\w|\[TOOL_CALLS\]|<\|python_tag\|>"
    r"|<\uff5ctool\u2581calls?\u2581begin\uff5c>|<\|tool_calls?_(?:section_)?begin\|>|<\|tool_call\b|<\|START_ACTION\|>|```tool_(?:call|code)"
    r"|to=functions\.\w|\A\s*functions\.\w+"
)


_JSON_VALUE = re.compile(r"[\[{]|(?:true|false|null|-?\d+(?:\.\d+)?)\Z")


def _loads(text: str) -> Json:
    """The JSON value at the beginning of `text`; text after it is ignored."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text.strip())[0]
    except (ValueError, RecursionError):
        return arguments_of("the call", text)


def _value(text: str) -> Json:
    """The value of one parameter: parsed if it is a JSON number, list, object, boolean or null, else text."""
    stripped = text.strip()
    if (
        stripped[:1] in "{["
        or stripped in ("true", "false", "null")
        or re.fullmatch(r"-?\d+(\.\d+)?", stripped)
    ):
        try:
            return json.loads(stripped)
        except (ValueError, RecursionError):
            return text
    return text
