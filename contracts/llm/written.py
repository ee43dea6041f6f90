"""Reads JSON as models write it: the objects in a text, and the arguments of a tool call.

Invalid JSON is repaired if its meaning is clear. Otherwise it is refused with the position of the error. A
truncated object is never completed, because the missing part is unknown.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

import json_repair
import orjson

from contracts.core.event import Json
from contracts.core.foreign_json import require_storable
from contracts.core.text import clean_json

MAX_REPAIRED = 200_000
"""Maximum characters of an object that is repaired, because repairing is slow."""

_OBJECT = re.compile(r'(?P<fence>```[ \t]*+(?P<language>\w*+)\s*+)?(?P<brace>\{)\s*"')
_LOOSE_OBJECT = re.compile(r"(?:```[ \t]*json\w*\s*)(\{)|(\{)", re.IGNORECASE)
_CLOSING_FENCE = re.compile(r"(?:^|(?<=\}))[ \t]*```[ \t\r]*$", re.MULTILINE)
_FENCED = re.compile(r"\A\s*```[ \t]*\w*\s*\n(?P<inside>.*?)\n?[ \t]*```\s*\Z", re.DOTALL)

_NOT_FINITE = re.compile(r"(?<![\w\"'])-?(?:NaN|Infinity|nan|inf)(?![\w\"'])")

_MAX_CANDIDATES = 64
_MAX_NESTING = 100
"""Maximum nesting of braces and brackets; a plan has about six levels."""
_MAX_ENCODED = 3
"""Maximum times that arguments may be encoded as JSON text."""
_NOTHING = frozenset({"", "None", "undefined"})
_CONTEXT_LINES = 2
_MAX_LINE = 160


class NotJson(ValueError):
    """There is no readable JSON object; the message says where the error is."""


class Truncated(NotJson):
    """The JSON object is truncated."""


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON: use a number, a text or null")


_DECODER = json.JSONDecoder(strict=False, parse_constant=lambda _: None)
_STRICT = json.JSONDecoder(strict=False, parse_constant=_not_finite)
"""Decoder for arguments. NaN and Infinity are errors, because a tool must not get null for a number."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A possible JSON object in a text."""

    rank: int
    """0: in a ```json fence, 1: in another fence, 2: outside fences."""
    start: int
    end: int
    value: dict[str, Json] | None
    """None: the object is not valid JSON."""


def objects_in(text: str) -> Iterator[dict[str, Json]]:
    """The JSON objects in a model's answer, most likely first.

    Objects in ```json fences come first, then those in other fences; the last one first, because models
    correct themselves. Then come objects outside fences, longest first; an invalid one is used only if there
    is no other.

    Raises:
        NotJson: there is no object, or none that can be repaired.
        Truncated: the last object is truncated.
    """
    text = text.lstrip("\ufeff")
    candidates = sorted(islice(_candidates(text), _MAX_CANDIDATES), key=_likelihood)
    if not candidates:
        yield _storable(_repaired(text, _loose_start(text)))
        return
    first_error: NotJson | None = None
    found = False
    for one in candidates:
        if one.value is None and found and one.rank == 2:
            continue
        try:
            value = _storable(_repaired(text, one.start) if one.value is None else one.value)
        except Truncated:
            raise
        except NotJson as error:
            first_error = first_error or error
        else:
            found = True
            yield value
    if not found and first_error is not None:
        raise first_error


def arguments_of(name: str, written: Json) -> dict[str, Json]:
    """The arguments of a call of the tool `name`, in any format that providers and models use.

    Raises:
        NotJson: the arguments are unreadable; the message is written for the model.
    """
    value = written
    for _ in range(_MAX_ENCODED):
        if not isinstance(value, str):
            break
        value = _value_of(name, value)
    if value is None or value in ([], ""):
        return {}
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0]
    if not isinstance(value, dict):
        raise NotJson(f"the arguments of {name} must be a JSON object")
    try:
        arguments: dict[str, Json] = clean_json(value)
        require_storable(arguments)
    except (ValueError, RecursionError) as error:
        raise NotJson(f"the arguments of {name} are not valid JSON: {error}") from error
    return arguments


def _value_of(name: str, text: str) -> Json:
    """The value of arguments as text."""
    text = text.lstrip("\ufeff")
    fenced = _FENCED.match(text)
    text = (fenced["inside"] if fenced else text).strip()
    if text in _NOTHING:
        return None
    if text.startswith("{}{"):  # servers that stream an empty object first, and the arguments after it
        text = text[2:]
    try:
        value, end = _STRICT.raw_decode(text)
    except RecursionError as error:
        raise NotJson(f"the arguments of {name} are not valid JSON: they are nested too deep") from error
    except ValueError as error:
        return _python_or_repaired(name, text, str(error))
    if "{" in text[end:]:
        raise NotJson(f"the arguments of {name} are not valid JSON: there is more than one value")
    return value


def _python_or_repaired(name: str, text: str, error: str) -> Json:
    if not text.startswith("{") or _NOT_FINITE.search(text):
        raise NotJson(f"the arguments of {name} are not valid JSON: {error}")
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        pass
    try:
        return _repaired(text, 0)
    except NotJson as broken:
        raise NotJson(f"the arguments of {name} are not valid JSON: {broken}") from broken


def _likelihood(candidate: _Candidate) -> tuple[int, int]:
    if candidate.rank < 2:
        return candidate.rank, -candidate.start
    return candidate.rank, candidate.start - candidate.end


def _candidates(text: str) -> Iterator[_Candidate]:
    position = 0
    while found := _OBJECT.search(text, position):
        start = found.start("brace")
        rank = 2 if not found["fence"] else 0 if found["language"].lower().startswith("json") else 1
        try:
            value, position = _DECODER.raw_decode(text, start)
            yield _Candidate(rank, start, position, value)
        except (ValueError, RecursionError):
            yield _Candidate(rank, start, start, None)
            position = text.find("```", start)  # objects inside an invalid object are not answers
            if position < 0:
                return


def _loose_start(text: str) -> int:
    """The start of an object that may have unquoted keys."""
    found = _LOOSE_OBJECT.search(text)
    if found is None:
        shown = text.strip()
        raise NotJson(
            f"the answer has no JSON object, only {shown[:_MAX_LINE]!r}: answer with one ```json block"
            if shown
            else "the answer is empty: answer with one ```json block"
        )
    return found.end() - 1


def _repaired(text: str, start: int) -> Json:
    """The repaired object at `start`."""
    closing = [fence.start() for fence in _CLOSING_FENCE.finditer(text, start)]
    body = (text[start : closing[-1]] if closing else text[start:]).rstrip()
    error = _error_in(text, start)
    if not closing and _is_cut_off(body, start, error):
        raise Truncated(f"the answer stops before the JSON is complete. {_described(error)}")
    if _nesting(body) > _MAX_NESTING:
        raise NotJson(f"the JSON is nested more than {_MAX_NESTING} levels deep. {_described(error)}")
    if len(body) > MAX_REPAIRED:
        raise NotJson(_described(error))
    try:
        repaired = json_repair.loads(body, skip_json_loads=True)
    except (ValueError, RecursionError):
        repaired = None
    if not isinstance(repaired, dict) or not repaired:
        raise NotJson(_described(error))
    return repaired


def _error_in(text: str, start: int) -> json.JSONDecodeError:
    try:
        _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        return error
    except (ValueError, RecursionError) as error:
        return json.JSONDecodeError(str(error), text, start)
    return json.JSONDecodeError("Expecting an object with keys", text, start)


def _is_cut_off(body: str, start: int, error: json.JSONDecodeError) -> bool:
    at_the_end = error.pos >= start + len(body) or error.msg.startswith("Unterminated")
    return at_the_end or not body.endswith("}")


def _nesting(text: str) -> int:
    depth = deepest = 0
    for bracket in re.findall(r"[{\[\]}]", text):
        depth += 1 if bracket in "{[" else -1
        deepest = max(deepest, depth)
    return deepest


def _described(error: json.JSONDecodeError) -> str:
    """The error with its position and the lines around it."""
    lines = error.doc.split("\n")
    first = max(0, error.lineno - 1 - _CONTEXT_LINES)
    shown = [
        f"{'>' if number == error.lineno else ' '} {number} | {line[:_MAX_LINE]}"
        for number, line in enumerate(lines[first : error.lineno + _CONTEXT_LINES], start=first + 1)
    ]
    return "\n".join([f"{error.msg}: line {error.lineno}, column {error.colno}", *shown])


def _storable(value: Json) -> dict[str, Json]:
    """The object with text that every store accepts."""
    try:
        cleaned: dict[str, Json] = clean_json(value)
        require_storable(cleaned)
        orjson.dumps(cleaned)
    except RecursionError as error:
        raise NotJson(f"the JSON is nested more than {_MAX_NESTING} levels deep: use less nesting") from error
    except ValueError as error:
        raise NotJson(f"the JSON cannot be stored: {error}") from error
    except TypeError as error:
        raise NotJson(f"the JSON cannot be stored ({error}): use less nesting") from error
    return cleaned
