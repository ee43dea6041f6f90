"""Converts a conversation to messages that even the strictest provider accepts.

Answers of a model are sent back to it, and not every server accepts what another server sent. Therefore:

- Ids of tool calls are replaced by unique ids of nine letters and digits.
- Names of tools have only letters, digits, `_` and `-`.
- An empty text beside tool calls is null, and the result of each call follows the call.
- There is one system message, and it is first.
- User and assistant alternate, and the last message is not from the assistant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from contracts.core.event import Json
from contracts.core.untrusted import NOTICE, as_data

Message = dict[str, Json]

GO_ON = "Go on."
"""User message, inserted where the conversation would begin or end with the assistant."""
SEEN = "I have read the results."
"""Assistant message, inserted between tool results and a user message."""
NO_ANSWER = "(this call was not answered)"

_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME = 64


def wire_messages(messages: Sequence[Mapping[str, Json]]) -> list[Message]:
    """`messages` in OpenAI chat format, as every provider accepts them."""
    said = [dict(message) for message in messages]
    system = [one for one in said if one.get("role") in ("system", "developer")]
    rest = [one for one in said if one.get("role") not in ("system", "developer")]
    turns = _alternating(_answered(rest))
    return [*_merged_system(system), *turns]


def safe_name(name: str) -> str:
    """The name of a tool as every provider accepts it."""
    return _UNSAFE.sub("_", name)[:_MAX_NAME] or "unnamed"


def _merged_system(messages: Iterable[Message]) -> list[Message]:
    texts = [content for message in messages if (content := message.get("content"))]
    if not texts:
        return []
    return [{"role": "system", "content": _joined(texts)}]


def _answered(messages: Sequence[Message]) -> Iterator[Message]:
    """The messages with new ids of tool calls, each call followed by its result, in order."""
    number = 0
    position = 0
    while position < len(messages):
        message = messages[position]
        position += 1
        if message.get("role") == "tool":  # a result without a call
            yield {"role": "user", "content": _orphan(message)}
            continue
        calls = message.get("tool_calls") or []
        if message.get("role") != "assistant" or not calls:
            yield {"role": _role(message), "content": message.get("content") or ""}
            continue
        answers: list[Message] = []
        while position < len(messages) and messages[position].get("role") == "tool":
            answers.append(messages[position])
            position += 1
        ids = [f"call{number + n:05}" for n in range(len(calls))]
        number += len(calls)
        yield {
            "role": "assistant",
            "content": message.get("content") or None,
            "tool_calls": [_call(id_, call) for id_, call in zip(ids, calls, strict=True)],
        }
        for n, (id_, call) in enumerate(zip(ids, calls, strict=True)):
            yield {"role": "tool", "tool_call_id": id_, "content": _answer_to(call, n, calls, answers)}


def _orphan(result: Message) -> str:
    return f"Result of a tool. {NOTICE}\n{as_data(_plain(result.get('content')), 'tool')}"


def _call(id_: str, call: Mapping[str, Json]) -> Json:
    function = call.get("function") or {}
    arguments = function.get("arguments")
    return {
        "id": id_,
        "type": "function",
        "function": {"name": safe_name(str(function.get("name") or "")), "arguments": _arguments(arguments)},
    }


def _arguments(written: Json) -> str:
    """An object as JSON text; any other value as an empty object."""
    try:
        value = json.loads(written) if isinstance(written, str) else written
        compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return compact if isinstance(value, Mapping) else "{}"
    except (ValueError, RecursionError):
        return "{}"


def _answer_to(call: Mapping[str, Json], n: int, calls: Sequence[Json], answers: Sequence[Message]) -> str:
    """The result of the call: found by id if the id is unique among the calls, else by position."""
    id_ = call.get("id")
    named = [one for one in answers if one.get("tool_call_id") == id_]
    unique = sum(other.get("id") == id_ for other in calls) == 1
    if unique and named:
        return _plain(named[0].get("content")) or NO_ANSWER
    if not unique and n < len(answers):
        return _plain(answers[n].get("content")) or NO_ANSWER
    return NO_ANSWER


def _alternating(messages: Iterable[Message]) -> list[Message]:
    turns: list[Message] = []
    for message in messages:
        role, last = message["role"], turns[-1]["role"] if turns else None
        if not message.get("content") and not message.get("tool_calls"):
            continue
        if role == "tool":
            turns.append(message)
        elif role == last == "user":
            turns[-1] = {"role": role, "content": _joined([turns[-1]["content"], message["content"]])}
        elif role == last == "assistant":
            turns += [{"role": "user", "content": GO_ON}, message]
        elif role == "user" and last == "tool":
            turns += [{"role": "assistant", "content": SEEN}, message]
        elif role == "assistant" and last is None:
            turns += [{"role": "user", "content": GO_ON}, message]
        else:
            turns.append(message)
    if not turns or turns[-1]["role"] == "assistant":
        turns.append({"role": "user", "content": GO_ON})
    return turns


def _role(message: Message) -> str:
    return "assistant" if message.get("role") == "assistant" else "user"


def _joined(contents: Sequence[Json]) -> Json:
    """Texts joined by a blank line; if there are parts (images), a list of parts."""
    if all(isinstance(one, str) for one in contents):
        return "\n\n".join(contents)
    parts: list[Json] = []
    for one in contents:
        parts += one if isinstance(one, list) else [{"type": "text", "text": one}]
    return parts


def _plain(content: Json) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""
