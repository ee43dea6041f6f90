"""Reading what a provider answered, which is checked like any input from outside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from contracts.core.event import Json
from contracts.core.text import clean_json
from contracts.llm.bill import MOST_USD, Bill, Tokens
from contracts.llm.chat import FinishReason, ToolCall
from contracts.llm.endpoint import Endpoint
from contracts.llm.failure import CallFailed, refusal


class _Part(BaseModel):
    """Part of an answer, as read: what we do not use is left out, null is as good as absent."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: value for name, value in data.items() if value is not None}
        return data


class _Function(_Part):
    name: str
    arguments: str | dict[str, Json] = ""


class _ToolCall(_Part):
    id: str = ""
    function: _Function


class _Message(_Part):
    content: str | list[dict[str, Json]] = ""
    refusal: str | None = None
    tool_calls: list[_ToolCall] = []
    reasoning: str | None = None
    reasoning_content: str | None = None


class _Choice(_Part):
    message: _Message = _Message()
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    error: dict[str, Json] | None = None


class _Cached(_Part):
    cached_tokens: int = 0


class _Usage(_Part):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Cached = _Cached()
    cost: Decimal | None = None


class _Document(_Part):
    id: str | None = None
    model: str | None = None
    provider: str | None = None
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Json = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that says something."""

    id: str | None
    upstream: str | None
    """The provider behind an aggregator."""
    content: str
    reasoning: str | None
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    native_finish_reason: str | None
    bill: Bill


def read_answer(endpoint: Endpoint, text: str) -> Answer:
    """The answer in the body `text` of a 2xx response.

    Raises:
        CallFailed: it is no chat completion, reports an error, or says nothing.
    """
    document = _parse(endpoint, text)
    choice = document.choices[0] if document.choices else _Choice()
    bill = _bill(document)
    error = document.error or choice.error
    if error:
        raise refusal(endpoint, _status(error), error).billed(bill)
    message = choice.message
    content = _text(message.content)
    tool_calls = tuple(_tool_call(index, call) for index, call in enumerate(message.tool_calls))
    if not content.strip() and not tool_calls:
        raise _said_nothing(endpoint, choice).billed(bill)
    return Answer(
        id=document.id,
        upstream=document.provider,
        content=content,
        reasoning=message.reasoning or message.reasoning_content,
        tool_calls=tool_calls,
        finish_reason=_finish_reason(choice.finish_reason, bool(tool_calls)),
        native_finish_reason=choice.native_finish_reason,
        bill=bill,
    )


def _parse(endpoint: Endpoint, text: str) -> _Document:
    try:
        return _Document.model_validate(clean_json(json.loads(text)))
    except (ValueError, RecursionError) as error:
        why = f"{error.error_count()} fields are wrong" if isinstance(error, ValidationError) else str(error)
        raise CallFailed(
            f"{endpoint.base_url} sent something that is no chat completion ({why}): {text[:200]!r}",
            passing=True,
            status=200,
        ) from error


def _status(error: Json) -> int:
    """Aggregators report errors of those behind them in a 200, with the status as `code`."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 502


def _text(content: str | list[dict[str, Json]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part["text"]) for part in content if part.get("type") == "text" and "text" in part)


def _tool_call(index: int, call: _ToolCall) -> ToolCall:
    call_id = call.id or f"call_{index}"
    name, written = call.function.name, call.function.arguments
    if isinstance(written, dict):
        return ToolCall(call_id, name, written)
    try:
        arguments = json.loads(written or "{}")
    except (ValueError, RecursionError) as error:
        return ToolCall(call_id, name, {}, f"the arguments of {name} are not valid JSON: {error}")
    if not isinstance(arguments, dict):
        return ToolCall(call_id, name, {}, f"the arguments of {name} must be a JSON object")
    return ToolCall(call_id, name, clean_json(arguments))


def _said_nothing(endpoint: Endpoint, choice: _Choice) -> CallFailed:
    if choice.message.refusal or choice.finish_reason == "content_filter":
        why = choice.message.refusal or "stopped by its content filter"
        return CallFailed(f"{endpoint.model} refused to answer: {why}", passing=False, status=200)
    if choice.finish_reason == "length":
        return CallFailed(
            f"{endpoint.model} used up its tokens before it answered: raise max_tokens (DEFAULT_MAX_TOKENS)",
            passing=False,
            status=200,
        )
    return CallFailed(f"{endpoint.model} sent an empty answer", passing=True, status=200)


def _finish_reason(reason: str | None, calls_tools: bool) -> FinishReason:
    match reason:
        case "length":
            return "length"
        case "content_filter":
            return "content_filter"
        case _:
            return "tool_calls" if calls_tools else "stop"


def _bill(document: _Document) -> Bill:
    usage = document.usage
    if usage is None:
        return Bill(document.model, None, None)
    cached = usage.prompt_tokens_details.cached_tokens
    tokens = Tokens(usage.prompt_tokens, cached, usage.completion_tokens)
    charged = usage.cost if usage.cost is not None and 0 <= usage.cost <= MOST_USD else None
    return Bill(document.model, tokens if tokens.is_possible else None, charged)
