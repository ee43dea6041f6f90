"""Selects the rule for a request and fills in its answer. Apart from counters, it has no state."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from re import Pattern
from string import Template
from typing import Any

from deploy.scripted_llm.rules import Rule, ScriptedAnswer, ScriptedCall, When

SLUG_WORDS = 6


@dataclass(frozen=True, slots=True)
class Request:
    """A chat request, with the properties that rules match."""

    body: Mapping[str, Any]

    @property
    def model(self) -> str:
        """The requested model."""
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """All messages, oldest first."""
        return list(self.body.get("messages", []))

    @property
    def tools(self) -> Sequence[str]:
        """Names of the offered tools."""
        return [tool.get("function", {}).get("name", "") for tool in self.body.get("tools") or []]

    def texts(self, role: str | None = None) -> Sequence[str]:
        """Return the text of each message, or of the messages with `role`."""
        return [_text(message) for message in self.messages if role in (None, message.get("role"))]

    @property
    def user(self) -> str:
        """The last user message."""
        return next(reversed(self.texts("user")), "")

    @property
    def turn(self) -> int:
        """Number of the requested answer in this conversation, from 1."""
        return len([one for one in self.messages if one.get("role") == "assistant"]) + 1

    @property
    def tokens(self) -> int:
        """Estimated tokens of the prompt, at four characters per token."""
        return sum(count_tokens(text) for text in self.texts())


class Script:
    """A list of rules and the number of times that each has applied."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._applied: Counter[int] = Counter()
        self.calls = 0
        """Number of requests so far."""

    def answer(self, request: Request) -> ScriptedAnswer | None:
        """Return the filled-in answer of the first matching rule, or None."""
        before, self.calls = self.calls, self.calls + 1
        for index, rule in enumerate(self._rules):
            if rule.times is not None and self._applied[index] >= rule.times:
                continue
            captured = _captures(rule.when, request, before)
            if captured is not None:
                self._applied[index] += 1
                return _filled(rule.answer, {**_always(request), **captured, **_slugs(captured)})
        return None


def completion(request: Request, answer: ScriptedAnswer, number: int) -> dict[str, Any]:
    """Return `answer` as the body of an OpenAI chat completion."""
    text = answer.text if answer.job is None else f"```json\n{json.dumps(answer.job, indent=2)}\n```"
    calls = [_tool_call(f"call_{number}_{index}", call) for index, call in enumerate(answer.tool_calls)]
    message = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
    finish = answer.finish_reason or ("tool_calls" if calls else "stop")
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": request.model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": _usage(request, answer, json.dumps(message)),
    }


def count_tokens(text: str) -> int:
    """Return the estimated number of tokens. It depends only on the text."""
    return (len(text) + 3) // 4


def _tool_call(call_id: str, call: ScriptedCall) -> dict[str, Any]:
    written = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
    return {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": written}}


def _usage(request: Request, answer: ScriptedAnswer, said: str) -> dict[str, Any]:
    usage: dict[str, Any] = dict(
        answer.usage or {"prompt_tokens": request.tokens, "completion_tokens": count_tokens(said)}
    )
    usage["total_tokens"] = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
    if answer.cost is not None:
        usage["cost"] = answer.cost
    return usage


def _captures(when: When, request: Request, calls_before: int) -> dict[str, str] | None:
    """Return the named groups of the patterns, or None if a condition does not match."""
    role = request.messages[-1].get("role") if request.messages else None
    plain = (
        calls_before >= when.after_calls
        and all(name in request.body for name in when.has)
        and not any(name in request.body for name in when.lacks)
        and when.last_role in (None, role)
        and when.turn in (None, request.turn)
        and set(when.tools) <= set(request.tools)
    )
    if not plain:
        return None
    captured: dict[str, str] = {}
    for pattern, texts in _searches(when, request):
        found = next(filter(None, map(pattern.search, texts)), None)
        if found is None:
            return None
        captured |= {name: value or "" for name, value in found.groupdict().items()}
    return captured


def _searches(when: When, request: Request) -> Iterable[tuple[Pattern[str], Sequence[str]]]:
    """Yield each pattern with its texts. The pattern must match one of them."""
    searches = (
        (when.model, [request.model]),
        (when.system, ["\n".join(request.texts("system"))]),
        (when.user, [request.user]),
        (when.any, ["\n".join(request.texts())]),
        (when.tool, request.tools),
    )
    return ((pattern, texts) for pattern, texts in searches if pattern is not None)


def _always(request: Request) -> dict[str, str]:
    return {"user": request.user, "slug": _slug(request.user), "model": request.model}


def _slugs(captured: Mapping[str, str]) -> dict[str, str]:
    return {f"{name}_slug": _slug(text) for name, text in captured.items()}


def _slug(text: str) -> str:
    """Return the first words of a text as a file name."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return "-".join(words[:SLUG_WORDS]) or "empty"


def _filled(answer: ScriptedAnswer, captured: Mapping[str, str]) -> ScriptedAnswer:
    return ScriptedAnswer.model_validate(_fill(answer.model_dump(), captured))


def _fill(value: Any, captured: Mapping[str, str]) -> Any:
    match value:
        case str():
            return Template(value).safe_substitute(captured)
        case dict():
            return {key: _fill(item, captured) for key, item in value.items()}
        case list() | tuple():
            return [_fill(item, captured) for item in value]
        case _:
            return value


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content)
