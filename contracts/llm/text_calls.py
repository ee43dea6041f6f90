"""Tool calls in the text of an answer, from models whose servers do not parse them.

A format with unmistakable marks is recognised anywhere in the text. Plain JSON, or a Python call, is taken as
a tool call only if it names an offered tool and the answer ends with it. A call that the last sentence
announces, and that is not there, is a problem to tell the model.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from re import Match

from contracts.core.event import Json
from contracts.llm.announced import announced_tool
from contracts.llm.text_forms import FORMS, LOOKS_LIKE_A_CALL, NAME_KEYS, Form, WrittenCall, calls_of
from contracts.llm.written import NotJson


@dataclass(frozen=True, slots=True)
class TextCalls:
    """The tool calls in a text."""

    calls: tuple[WrittenCall, ...] = ()
    text: str = ""
    """The text without the calls."""
    problem: str | None = None
    """The error about an unreadable call, written for the model."""


def calls_in(text: str, offered: Collection[str]) -> TextCalls:
    """The calls in `text` of the tools in `offered`."""
    text = text.replace(_DSML, "")
    for form in FORMS:
        matches = list(form.pattern.finditer(text))
        calls = [call for match in matches for call in _readable(form, match)]
        if calls:
            return TextCalls(tuple(calls), _without(text, matches))
    for read in (_plain_json, _pythonic, _named_json):
        if found := read(text, offered):
            return found
    if LOOKS_LIKE_A_CALL.search(text) or _names_a_tool(text, offered):
        return TextCalls(text=text, problem=_UNREADABLE)
    if announced := announced_tool(text, offered):
        return TextCalls(text=text, problem=_ANNOUNCED.format(name=announced))
    return TextCalls(text=text)


_DSML = "\uff5cDSML\uff5c"
"""The mark in the tags of calls of DeepSeek."""
_UNREADABLE = (
    "your answer holds a tool call written as text, which cannot be read and was not made. Call tools by the "
    "tool interface, with the arguments as one JSON object"
)
_ANNOUNCED = (
    "your answer announces a call of {name} and makes none. If it is needed, call {name} by the tool "
    "interface now"
)


def _readable(form: Form, match: Match[str]) -> list[WrittenCall]:
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
"""Marks around the calls of an answer."""


_FENCE_START = re.compile(r"```[ \t]*(?:json\w*|tool\w*|)[ \t]*\n", re.IGNORECASE)


def _plain_json(text: str, offered: Collection[str]) -> TextCalls | None:
    """Calls as JSON, if the whole answer is JSON, or if it ends with a code fence with JSON only."""
    stripped = text.strip()
    starts = [0] if stripped[:1] in "{[" else []
    if stripped.endswith("```"):
        starts += [match.end() for match in _FENCE_START.finditer(stripped)][-1:]
    for start in starts:
        body = stripped[start:].removesuffix("```").strip()
        try:
            calls = tuple(call for value in _values(body) for call in _calls_of(value, offered))
        except (ValueError, RecursionError):
            continue
        if calls and all(resolve_name(call.name, offered) in offered for call in calls):
            fence = stripped.rfind("```", 0, start)
            return TextCalls(calls, stripped[: fence if start else 0].strip())
    return None


def _values(text: str) -> Iterator[Json]:
    """The JSON values that `text` consists of, also if semicolons, commas or nothing separates them.

    Raises:
        ValueError: there is other text.
    """
    position = 0
    while position < len(text):
        value, position = _DECODER.raw_decode(text, position)
        position = _SEPARATOR.match(text, position).end()  # type: ignore[union-attr]  # it matches nothing too
        yield value


_DECODER = json.JSONDecoder(strict=False)
_SEPARATOR = re.compile(r"[\s;,]*")


def _calls_of(value: Json, offered: Collection[str]) -> Iterator[WrittenCall]:
    """The calls in a JSON value. An object with the name of a tool as its only key is a call of it."""
    pairs = list(value.items()) if isinstance(value, dict) else []
    match pairs:
        case [(name, dict(arguments))] if name in offered:
            yield WrittenCall(name, arguments)
        case _:
            yield from calls_of(value)


def _named_json(text: str, offered: Collection[str]) -> TextCalls | None:
    """One call that is the whole answer: the name of a tool, perhaps as a tag, and one JSON object."""
    found = _NAME_AND_JSON.fullmatch(text.strip())
    if found is None or found["name"] not in offered:
        return None
    return TextCalls((WrittenCall(found["name"], found["arguments"]),))


_NAME_AND_JSON = re.compile(
    r"(?:<|>>>)?(?P<name>[\w.-]+)[>:]?\s*(?P<arguments>\{.*\})\s*(?:</[\w.-]+>)?", re.DOTALL
)


def _pythonic(text: str, offered: Collection[str]) -> TextCalls | None:
    """Calls like `[lookUp(query="x")]`, `print(default_api.lookUp(query="x"))`, `functions.lookUp({…})`."""
    stripped = text.strip()
    if "(" not in stripped or not any(name in stripped for name in offered):
        return None
    body = re.sub(r"\A(?:```\w*\s*\n|<tool_code>)|(?:\n?```|</tool_code>)\Z", "", stripped).strip()
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
    """Whether the text ends with an unreadable call that names an offered tool, or has one in a fence."""
    if not offered:
        return False
    names = "|".join(map(re.escape, offered))
    written = rf'"(?:{"|".join(NAME_KEYS)})"\s*:\s*"(?:functions\.)?(?:{names})"'
    end = text[-4000:].rstrip().removesuffix("```").rstrip()
    if re.search(written, end) and end.endswith(("}", "]", '"', ",")):
        return True
    tagged = rf"</(?:{names})>\Z|^[ \t>*]*Action:\**[ \t]*`?(?:{names})\b[^\n]*(?:\n[^\n]*)?\Z"
    fenced = rf"^```(?:json|tool\w*)?[ \t]*\n\s*\{{\s*{written}[^`]*^```"
    return bool(re.search(rf"{tagged}|{fenced}", end, re.MULTILINE))


_PREFIX = re.compile(
    r"^(?:(?:functions?|tools?|default_api|api|multi_tool_use|mcp)(?:[.:/]|__?))+", re.IGNORECASE
)
_INDEX = re.compile(r":\d+$")


def resolve_name(name: str, offered: Collection[str]) -> str:
    """The offered tool that `name` means, if there is exactly one; else the name without quotes and tokens.

    `functions.saveNote`, `SaveNote`, `save_note` and `saveNote<|channel|>json` are all `saveNote`. So is the
    `get_time` of `clock__get_time`, where no other tool has that name.
    """
    bare = name.partition("<|")[0].strip().strip("\"'`")
    if bare in offered:
        return bare
    stripped = _INDEX.sub("", _PREFIX.sub("", bare))
    if stripped in offered:
        return stripped
    alike = [one for one in offered if _key(one) == _key(stripped)]
    alike = alike or [one for one in offered if _key(one.partition("__")[2]) == _key(stripped)]
    return alike[0] if len(alike) == 1 else bare


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
