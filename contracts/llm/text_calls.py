"""Tool calls that a model writes into its text, because its server does not read them out of it.

Each family of models has a form of its own; `_FORMS` has them all. A form whose marks nobody writes by chance
is read wherever it stands. Plain JSON is taken for a call only where it names an offered tool and the answer
ends with it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from re import Match, Pattern
from typing import NamedTuple

from contracts.core.event import Json
from contracts.llm.written import NotJson, arguments_of

_NAME_KEYS = ("name", "tool", "tool_name", "function", "action", "recipient_name")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "action_input", "params", "tool_input")


class WrittenCall(NamedTuple):
    """A call as the model wrote it: a name, and arguments of any form."""

    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class TextCalls:
    """What a text holds."""

    calls: tuple[WrittenCall, ...] = ()
    text: str = ""
    """What stands around the calls."""
    problem: str | None = None
    """There is a call that cannot be read, in words fit to be sent back to the model."""


Reader = Callable[[Match[str]], Iterator[WrittenCall]]


@dataclass(frozen=True, slots=True)
class _Form:
    pattern: Pattern[str]
    read: Reader


def calls_in(text: str, offered: Collection[str]) -> TextCalls:
    """The calls that `text` holds, of the tools in `offered`."""
    for form in _FORMS:
        matches = list(form.pattern.finditer(text))
        calls = [call for match in matches for call in _readable(form, match)]
        if calls:
            return TextCalls(tuple(calls), _without(text, matches))
    if plain := _plain_json(text, offered):
        return plain
    if pythonic := _pythonic(text, offered):
        return pythonic
    if _LOOKS_LIKE_A_CALL.search(text) or _names_a_tool(text, offered):
        return TextCalls(text=text, problem=_UNREADABLE)
    return TextCalls(text=text)


_UNREADABLE = (
    "your answer holds a tool call written as text, which cannot be read and was not made. Call tools by the "
    "tool interface, with the arguments as one JSON object"
)


def _readable(form: _Form, match: Match[str]) -> list[WrittenCall]:
    try:
        return [call for call in form.read(match) if call.name]
    except (NotJson, ValueError):
        return []


def _without(text: str, matches: list[Match[str]]) -> str:
    kept, position = [], 0
    for match in matches:
        kept.append(text[position : match.start()])
        position = match.end()
    return _WRAPPING.sub("", "".join([*kept, text[position:]])).strip()


_WRAPPING = re.compile(
    r"</?[\w:\uff5c]*(?:function_calls|tool_calls?)>|<\uff5ctool\u2581calls\u2581(?:begin|end)\uff5c>"
    r"|<\|tool_calls_section_(?:begin|end)\|>"
)
"""Marks around all calls of an answer."""


# ── forms with marks of their own ───────────────────────────────────────────────────────────────────────


def _json_or_xml(match: Match[str]) -> Iterator[WrittenCall]:
    """What stands between `<tool_call>` marks: JSON, a function with parameters, or names and values."""
    body = match["body"].strip()
    if body.startswith(("<function", "<invoke")):
        for function in _FUNCTION.finditer(body):
            yield from _function(function)
    elif body.startswith(("{", "[")):
        yield from _of_json(_loads(body))
    elif pairs := _ARGUMENT_PAIR.findall(body):
        yield WrittenCall(body.partition("<")[0].strip(), {key.strip(): _value(text) for key, text in pairs})
    elif named := re.fullmatch(r"(?P<name>[\w.-]+)\s*(?P<arguments>\{.*\})", body, re.DOTALL):
        yield WrittenCall(named["name"], named["arguments"])


def _function(match: Match[str]) -> Iterator[WrittenCall]:
    """`<function=name>` or `<invoke name="name">` around parameters, or around one JSON object."""
    body = match["body"].strip()
    parameters = _PARAMETER.findall(body)
    yield WrittenCall(match["name"], {key: _value(text) for key, text in parameters} if parameters else body)


def _named(match: Match[str]) -> Iterator[WrittenCall]:
    yield WrittenCall(match["name"], match["arguments"])


def _json_list(match: Match[str]) -> Iterator[WrittenCall]:
    yield from _of_json(_loads(match["body"]))


_FUNCTION = re.compile(
    r"<(?:function|invoke)(?:=|\s+name=)\"?(?P<name>[\w.:-]+)\"?\s*>(?P<body>.*?)(?:</(?:function|invoke)>|\Z)",
    re.DOTALL,
)
_PARAMETER = re.compile(
    r"<parameter(?:=|\s+name=)\"?([\w.-]+)\"?[^>]*>\n?(.*?)\n?</parameter>",
    re.DOTALL,
)
_ARGUMENT_PAIR = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)

_FORMS = (
    _Form(
        re.compile(r"<tool_calls?>(?P<body>.*?)(?:</tool_calls?>|(?=<tool_call>)|\Z)", re.DOTALL),
        _json_or_xml,
    ),
    _Form(
        re.compile(
            r"(?:<\|start\|>\w*\s*)?(?:<\|channel\|>\w+\s+)?to=(?:functions\.)?(?P<name>[\w.-]+)[^<{]*"
            r"(?:<\|(?:channel|constrain)\|>\s*\w+\s*)*<\|message\|>(?P<arguments>\{.*?\})\s*"
            r"(?:<\|(?:call|end|return)\|>|(?=<\|start\|>)|\Z)",
            re.DOTALL,
        ),
        _named,
    ),
    _Form(
        re.compile(
            r"<\uff5ctool\u2581call\u2581begin\uff5c>(?:function<\uff5ctool\u2581sep\uff5c>)?(?P<name>[\w.-]+)(?:<\uff5ctool\u2581sep\uff5c>|\s*\n)"
            r"(?P<arguments>.*?)<\uff5ctool\u2581call\u2581end\uff5c>",
            re.DOTALL,
        ),
        _named,
    ),
    _Form(
        re.compile(
            r"<\|tool_call_begin\|>\s*(?:functions\.)?(?P<name>[\w.-]+?)(?::\d+)?\s*"
            r"<\|tool_call_argument_begin\|>(?P<arguments>.*?)<\|tool_call_end\|>",
            re.DOTALL,
        ),
        _named,
    ),
    _Form(
        re.compile(
            r"\[TOOL_CALLS\]\s*(?P<name>[\w.-]+)(?:\[CALL_ID\]\w*)?\[ARGS\]\s*(?P<arguments>\{.*?\})\s*"
            r"(?=\[TOOL_CALLS\]|</s>|\Z)",
            re.DOTALL,
        ),
        _named,
    ),
    _Form(re.compile(r"\[TOOL_CALLS\]\s*(?P<body>[\[{].*)\Z", re.DOTALL), _json_list),
    _Form(re.compile(r"\[TOOL_REQUEST\](?P<body>.*?)(?:\[END_TOOL_REQUEST\]|\Z)", re.DOTALL), _json_list),
    _Form(re.compile(r"<\|START_ACTION\|>(?P<body>.*?)<\|END_ACTION\|>", re.DOTALL), _json_list),
    _Form(re.compile(r"<\|python_tag\|>\s*(?P<body>\{.*\})", re.DOTALL), _json_list),
    _Form(_FUNCTION, _function),
    _Form(re.compile(r"```tool_calls?\s*\n(?P<body>.*?)```", re.DOTALL), _json_list),
    _Form(re.compile(r"<\|tool_call\|>(?P<body>\[.*?\])<\|/tool_call\|>", re.DOTALL), _json_list),
)

_LOOKS_LIKE_A_CALL = re.compile(
    r"<tool_calls?>|<function_calls?>|<invoke\s+name=|<function=\w|\[TOOL_CALLS\]|<\|python_tag\|>"
    r"|<\uff5ctool\u2581calls?\u2581begin\uff5c>|<\|tool_calls?_(?:section_)?begin\|>|<\|START_ACTION\|>|```tool_(?:call|code)"
    r"|to=functions\.\w|\A\s*functions\.\w+"
)


_JSON_VALUE = re.compile(r"[\[{]|(?:true|false|null|-?\d+(?:\.\d+)?)\Z")


def _loads(text: str) -> Json:
    """JSON with whatever stands behind it."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text.strip())[0]
    except (ValueError, RecursionError):
        return arguments_of("the call", text)


def _value(text: str) -> Json:
    """The value of one parameter: JSON where it is a number, a list or the like, else the text."""
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


# ── JSON and Python without marks ───────────────────────────────────────────────────────────────────────


def _of_json(value: Json) -> Iterator[WrittenCall]:
    """The calls that a JSON value describes, in whichever words."""
    match value:
        case list():
            for item in value:
                yield from _of_json(item)
        case {"tool_calls": list(calls)} | {"tool_uses": list(calls)}:
            yield from _of_json(calls)
        case {"tool_call": dict(call)}:
            yield from _of_json(call)
        case {"function": {"name": str(name)}}:
            yield WrittenCall(name, _arguments(value["function"]))
        case dict():
            name = next((value[key] for key in _NAME_KEYS if isinstance(value.get(key), str)), "")
            if name:
                yield WrittenCall(name, _arguments(value))


def _arguments(call: Mapping[str, Json]) -> Json:
    return next((call[key] for key in _ARGUMENT_KEYS if key in call), None)


_FENCE_START = re.compile(r"```[ \t]*(?:json\w*|tool\w*|)[ \t]*\n", re.IGNORECASE)


def _plain_json(text: str, offered: Collection[str]) -> TextCalls | None:
    """A call as JSON, when the answer is nothing else, or ends with a fence that holds nothing else."""
    stripped = text.strip()
    starts = [0] if stripped[:1] in "{[" else []
    if stripped.endswith("```"):
        starts += [match.end() for match in _FENCE_START.finditer(stripped)][-1:]
    for start in starts:
        body = stripped[start:].removesuffix("```").strip()
        try:
            calls = tuple(_of_json(json.loads(body, strict=False)))
        except (ValueError, RecursionError):
            continue
        if calls and all(resolve_name(call.name, offered) in offered for call in calls):
            fence = stripped.rfind("```", 0, start)
            return TextCalls(calls, stripped[: fence if start else 0].strip())
    return None


def _pythonic(text: str, offered: Collection[str]) -> TextCalls | None:
    """`[webSearch(query="x")]`, `print(default_api.webSearch(query="x"))`, `functions.webSearch({…})`."""
    stripped = text.strip()
    if "(" not in stripped or not any(name in stripped for name in offered):
        return None
    body = re.sub(r"\A```\w*\s*\n|\n?```\Z", "", stripped).strip()
    try:
        tree = ast.parse(body, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    calls = tuple(_of_tree(tree))
    if calls and all(resolve_name(call.name, offered) in offered for call in calls):
        return TextCalls(calls, "")
    return None


def _of_tree(tree: ast.expr) -> Iterator[WrittenCall]:
    match tree:
        case ast.List(elts=items) | ast.Tuple(elts=items):
            for item in items:
                yield from _of_tree(item)
        case ast.Call(func=ast.Name(id="print"), args=[inner], keywords=[]):
            yield from _of_tree(inner)
        case ast.Call(func=function, args=given, keywords=named):
            try:
                values = {one.arg: ast.literal_eval(one.value) for one in named if one.arg}
                whole = ast.literal_eval(given[0]) if len(given) == 1 and not values else values
            except (ValueError, TypeError, MemoryError, RecursionError):
                return
            yield WrittenCall(ast.unparse(function), whole)


def _names_a_tool(text: str, offered: Collection[str]) -> bool:
    """Whether the text ends with something that names a tool as a call does, and nothing could read it."""
    if not offered:
        return False
    names = "|".join(map(re.escape, offered))
    written = rf'"(?:{"|".join(_NAME_KEYS)})"\s*:\s*"(?:functions\.)?(?:{names})"'
    end = text[-4000:].rstrip().removesuffix("```").rstrip()
    return bool(re.search(written, end)) and end.endswith(("}", "]", '"', ","))


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────

_PREFIX = re.compile(r"^(?:functions?|tools?|default_api|api|multi_tool_use)[.:/]", re.IGNORECASE)
_INDEX = re.compile(r":\d+$")


def resolve_name(name: str, offered: Collection[str]) -> str:
    """The offered tool that `name` stands for, where only one can be meant; else the bare name.

    `functions.writeFile`, `WriteFile`, `write_file` and `writeFile<|channel|>json` are all `writeFile`.
    """
    bare = name.partition("<|")[0].strip().strip("\"'`")
    if bare in offered:
        return bare
    stripped = _INDEX.sub("", _PREFIX.sub("", bare))
    if stripped in offered:
        return stripped
    alike = [one for one in offered if _key(one) == _key(stripped)]
    return alike[0] if len(alike) == 1 else bare


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
