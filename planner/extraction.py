"""The JSON object in a model's answer, whatever stands around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import json_repair
import orjson

from contracts.core.event import Json
from contracts.core.text import clean_json

_REASONING = re.compile(r"\A\s*+<think>.*?</think>", re.DOTALL)
_OBJECT = re.compile(r'(?P<fence>```[ \t]*+(?P<language>\w*+)\s*+)?(?P<brace>\{)\s*"')
_LOOSE_OBJECT = re.compile(r"(?:```[ \t]*json\w*\s*)(\{)|(\{)", re.IGNORECASE)
_CLOSING_FENCE = re.compile(r"(?:^|(?<=\}))[ \t]*```[ \t\r]*$", re.MULTILINE)
_DECODER = json.JSONDecoder(strict=False, parse_constant=lambda _: None)

_MAX_CANDIDATES = 64
_MAX_NESTING = 100
"""Unclosed braces and brackets; a plan has about six."""
_CONTEXT_LINES = 2
_MAX_LINE = 160


class NotJson(ValueError):
    """The answer holds no JSON object that can be read; the message says where it goes wrong."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A place where an object begins."""

    rank: int
    """0 in a ```json fence, 1 in another fence, 2 in the open."""
    start: int
    end: int
    value: dict[str, Json] | None
    """None: what stands there is not correct JSON."""


def extract(answer: str) -> dict[str, Json]:
    """The object in `answer`: that in a ```json fence, else in another fence, else the longest there is.

    Raises:
        NotJson: there is none, it is broken beyond repair, or it stops in the middle.
    """
    text = _REASONING.sub("", answer.lstrip("\ufeff"), count=1)
    candidates = list(islice(_candidates(text), _MAX_CANDIDATES))
    best = min((candidate.rank for candidate in candidates), default=2)
    eligible = [candidate for candidate in candidates if candidate.rank == best]
    correct = [candidate for candidate in eligible if candidate.value]
    if not correct:
        return _storable(_repaired(text, eligible[0].start if eligible else _loose_start(text)))
    chosen = correct[0] if best < 2 else max(correct, key=lambda candidate: candidate.end - candidate.start)
    return _storable(chosen.value)


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
            position = text.find("```", start)  # what stands inside a broken object is no answer
            if position < 0:
                return


def _loose_start(text: str) -> int:
    """Where an object with unquoted keys or the like may begin."""
    found = _LOOSE_OBJECT.search(text)
    if found is None:
        shown = text.strip()
        raise NotJson(
            f"the answer has no JSON object but {shown[:_MAX_LINE]!r}: answer with one ```json block"
            if shown
            else "the answer is empty: answer with one ```json block"
        )
    return found.end() - 1


def _repaired(text: str, start: int) -> Json:
    """What the broken object at `start` was meant to be; the last resort."""
    closing = [fence.start() for fence in _CLOSING_FENCE.finditer(text, start)]
    body = (text[start : closing[-1]] if closing else text[start:]).rstrip()
    error = _error_in(text, start)
    if not closing and _is_cut_off(body, start, error):
        raise NotJson(f"the answer stops before the JSON is complete. {_described(error)}")
    if _nesting(body) > _MAX_NESTING:
        raise NotJson(f"the JSON is nested more than {_MAX_NESTING} levels deep. {_described(error)}")
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
    """The error with its place and the lines around it."""
    lines = error.doc.split("\n")
    first = max(0, error.lineno - 1 - _CONTEXT_LINES)
    shown = [
        f"{'>' if number == error.lineno else ' '} {number} | {line[:_MAX_LINE]}"
        for number, line in enumerate(lines[first : error.lineno + _CONTEXT_LINES], start=first + 1)
    ]
    return "\n".join([f"{error.msg}: line {error.lineno}, column {error.colno}", *shown])


def _storable(value: Json) -> dict[str, Json]:
    """The object with text that every store takes."""
    try:
        cleaned: dict[str, Json] = clean_json(value)
        orjson.dumps(cleaned)
    except RecursionError as error:
        raise NotJson(f"the JSON is nested more than {_MAX_NESTING} levels deep: use less nesting") from error
    except TypeError as error:
        raise NotJson(f"the JSON cannot be stored ({error}): use smaller numbers and less nesting") from error
    return cleaned
