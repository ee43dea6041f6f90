"""Joins the chunks of an answer that a server streams although it was not asked to.

Two forms: server-sent events of chat completion chunks, and one JSON object per line (Ollama's own API).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from contracts.core.event import Json
from contracts.llm.fields import as_list, as_object

CUT = "network_error"
"""The finish reason of an answer whose end is missing."""

_DONE = "[DONE]"
_TOGETHER = ("content", "reasoning", "reasoning_content", "thinking", "refusal", "arguments")
"""Texts of which each chunk has a part."""


def joined(text: str) -> dict[str, Json] | None:
    """The answer that the chunks in `text` make together; None if the text does not consist of chunks."""
    lines = [line for line in map(_data, re.split(r"\r\n|\r|\n", text)) if line]
    chunks: list[Mapping[str, Json]] = []
    for number, line in enumerate(lines, start=1):
        if line.upper() == _DONE:
            continue
        try:
            chunk = json.loads(line)
        except (ValueError, RecursionError):
            if chunks and number == len(lines):  # the connection ended within the last chunk
                break
            return None
        if not isinstance(chunk, Mapping):
            return None
        chunks.append(chunk)
    return _joined(chunks, ended=_DONE in map(str.upper, lines)) if chunks else None


def _data(line: str) -> str:
    """The data in a line of a stream; empty for comments and other fields."""
    if line.startswith((":", "event:", "id:", "retry:")):
        return ""
    return line.removeprefix("data:").strip()


def _joined(chunks: Iterable[Mapping[str, Json]], *, ended: bool) -> dict[str, Json]:
    document: dict[str, Json] = {}
    message: dict[str, Any] = {}
    finish: Json = None
    has_deltas = False
    for chunk in chunks:
        if has_deltas and _is_whole(chunk):
            message = {}
        has_deltas = has_deltas or any("delta" in choice for choice in _first(chunk.get("choices")))
        document |= {name: value for name, value in chunk.items() if value is not None}
        ended = ended or chunk.get("done") is True or bool(chunk.get("error"))
        for choice in _first(chunk.get("choices")):
            _add(message, as_object(choice.get("delta") or choice.get("message")) or _text_of(choice))
            finish = choice.get("finish_reason") or finish
            document |= {"usage": choice["usage"]} if choice.get("usage") else {}
        _add(message, as_object(chunk.get("message")))
    finish = finish or document.get("done_reason") or (None if ended else CUT)
    return {**document, "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def _is_whole(chunk: Mapping[str, Json]) -> bool:
    """Whether a chunk has a message instead of a part. After parts it repeats the whole answer."""
    return any(choice.get("message") and not choice.get("delta") for choice in _first(chunk.get("choices")))


def _first(choices: Json) -> Iterator[Mapping[str, Json]]:
    """The chunk of the first choice; the others are further answers."""
    for choice in map(as_object, as_list(choices)):
        if not choice.get("index"):
            yield choice


def _text_of(choice: Mapping[str, Json]) -> Mapping[str, Json]:
    return {"content": choice["text"]} if "text" in choice else {}


def _add(message: dict[str, Any], part: Mapping[str, Json]) -> None:
    for name, value in part.items():
        if name == "tool_calls":
            _add_calls(message.setdefault(name, []), as_list(value))
        elif name in _TOGETHER and isinstance(value, str) and isinstance(message.get(name), str):
            message[name] += value
        elif isinstance(value, list) and isinstance(message.get(name), list | str):
            message[name] = [*_listed(message[name]), *value]
        elif isinstance(value, str) and isinstance(message.get(name), list):
            message[name] = [*message[name], *_listed(value)]
        elif name == "function" and isinstance(value, Mapping):
            _add(message.setdefault(name, {}), value)
        elif value not in (None, ""):
            message[name] = value


def _listed(value: list[Json] | str) -> list[Json]:
    """The parts of a content. Some servers send texts and lists of parts in one stream."""
    return value if isinstance(value, list) else [value] if value else []


def _add_calls(calls: list[dict[str, Any]], parts: Iterable[Json]) -> None:
    for part in map(as_object, parts):
        begun = _call_of(calls, part)
        if begun is None:
            begun = {}
            calls.append(begun)
        _add(begun, part)


def _call_of(calls: list[dict[str, Any]], part: Mapping[str, Json]) -> dict[str, Any] | None:
    """The last call with the index and the id of `part`, as far as it has them; None: it begins a call.

    Some servers give all parallel calls one index, and some repeat the id in each part.
    """
    index, id_ = part.get("index"), part.get("id")
    same = [call for call in calls if index is None or call.get("index") == index]
    if id_:
        same = [call for call in same if call.get("id") in (id_, None)]
    return same[-1] if same else None
