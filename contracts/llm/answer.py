"""Reads the answer of a provider, field by field.

Each field is read separately, so an invalid field does not affect the others. The cost is read first and is
part of every failure. This module separates reasoning, text, tool calls and refusals.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from contracts.core.event import Json
from contracts.core.text import clean_json
from contracts.llm import chunks
from contracts.llm.bill import Bill, bill_of
from contracts.llm.chat import FinishReason, ToolCall
from contracts.llm.endpoint import Endpoint
from contracts.llm.failure import CallFailed, answer_of_other_api, not_an_answer, refusal, unusable
from contracts.llm.fields import any_text, as_list, as_name, as_object, as_text, reasoning_in
from contracts.llm.reasoning import split_reasoning
from contracts.llm.text_calls import calls_in, resolve_name
from contracts.llm.text_forms import WrittenCall
from contracts.llm.written import NotJson, arguments_of

_FINISH: Mapping[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "context_length_exceeded": "length",
    "truncated": "length",
    "incomplete": "length",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "error_toxic": "content_filter",
    "language": "content_filter",
    "safety": "content_filter",
    "image_safety": "content_filter",
    "recitation": "content_filter",
    "prohibited_content": "content_filter",
    "blocklist": "content_filter",
    "spii": "content_filter",
    "sensitive": "content_filter",
    "refusal": "content_filter",
}
"""Finish reasons of all providers. Unlisted reasons mean that the model finished normally."""
_CALL_PARTS = frozenset({"tool_use", "tool_call", "function_call"})
"""Types of the parts of a content that are calls."""
_INTERRUPTED = frozenset(
    {"error", "abort", "aborted", "cancelled", "insufficient_system_resource", "network_error", "timeout"}
)
_MALFORMED = frozenset(
    {
        "malformed_function_call",
        "malformed_tool_use",
        "malformed_model_output",
        "unexpected_tool_call",
        "error_unexpected_tool_call",
        "too_many_tool_calls",
        "tool_use_failed",
    }
)
_CALLING = frozenset({"tool_calls", "tool_call", "tool_use", "function_call"})
"""Finish reasons of an answer that ends with a call. Without a call in it, the call was lost on the way."""
_MALFORMED_CALL = (
    "your answer held a tool call that the provider could not read, so it was not made. Call the tool again, "
    "with the arguments as one JSON object"
)


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A usable answer."""

    id: str | None
    upstream: str | None
    """The provider that an aggregator used."""
    content: str
    reasoning: str | None
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    native_finish_reason: str | None
    bill: Bill
    problem: str | None = None
    """The error about an unreadable tool call, written for the model."""


def read_answer(endpoint: Endpoint, text: str, offered: Collection[str] = ()) -> ModelAnswer:
    """The answer in the body `text` of a 2xx response. `offered`: names of the allowed tools.

    Raises:
        CallFailed: the body is not a chat completion, reports an error, or is empty.
    """
    document = _parse(endpoint, text)
    bill = bill_of(document)
    try:
        return _read(endpoint, document, bill, offered, text)
    except CallFailed as failure:
        raise failure.billed(bill) from failure.__cause__


def _parse(endpoint: Endpoint, text: str) -> Mapping[str, Json]:
    try:
        document = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        document = chunks.joined(text)
        if document is None:
            raise not_an_answer(endpoint, 200, text, str(error)) from error
    document = clean_json(document)
    if isinstance(document, list) and document:  # some providers wrap an error in a list
        document = document[0]
    if not isinstance(document, Mapping):
        raise not_an_answer(endpoint, 200, text, "it is not a JSON object")
    return document


def _read(
    endpoint: Endpoint, document: Mapping[str, Json], bill: Bill, offered: Collection[str], body: str
) -> ModelAnswer:
    choice = _choice(document)
    message = _message(document, choice)
    native = as_name(choice.get("native_finish_reason"))
    finish = _finish(choice.get("finish_reason") or document.get("done_reason"))
    parts = split_reasoning(as_text(message.get("content")))
    calls, content, problem = _calls(_all_listed(document, message), parts.answer, offered)
    is_lost = finish in _CALLING and bool(offered) and problem is None
    if not calls and (is_lost or _MALFORMED & {finish, _finish(native)}):
        problem = _MALFORMED_CALL
    if error := _error(document, choice, has_answer=bool(content or calls)):
        raise refusal(endpoint, 200, error)
    reasoning = "\n\n".join(filter(None, (_reasoning(message), parts.reasoning))) or None
    if finish in _INTERRUPTED:
        raise unusable(f"{endpoint.model} was interrupted ({finish})", passing=True)
    if not content and not calls and not problem:
        raise _empty_answer(endpoint, document, message, finish, body, reasoned=reasoning is not None)
    return ModelAnswer(
        id=as_name(document.get("id")),
        upstream=as_name(document.get("provider")),
        content=content,
        reasoning=reasoning,
        tool_calls=calls,
        finish_reason=_FINISH.get(finish) or ("tool_calls" if calls else "stop"),
        native_finish_reason=native,
        bill=bill,
        problem=problem,
    )


def _choice(document: Mapping[str, Json]) -> Mapping[str, Json]:
    choices = document.get("choices")
    listed = as_list(choices) or ([choices] if isinstance(choices, Mapping) else [])
    return next((one for one in listed if isinstance(one, Mapping)), {})


def _message(document: Mapping[str, Json], choice: Mapping[str, Json]) -> Mapping[str, Json]:
    """The message of a choice; some servers use other fields, or plain text."""
    for place in (choice.get("message"), choice.get("delta"), document.get("message")):
        if isinstance(place, Mapping) and place:
            return place
        if isinstance(place, str) and choice:
            return {"content": place}
    return {"content": choice.get("text") if choice else document.get("content")}


def _finish(reason: Json) -> str:
    """The known word in a finish reason: `content_filter` for `content_filter: SAFETY`."""
    words = re.findall(r"[a-z_]+", (as_name(reason) or "").lower())
    known = _FINISH.keys() | _INTERRUPTED | _MALFORMED | _CALLING
    return next((word for word in words if word in known), words[0] if words else "")


def _error(document: Mapping[str, Json], choice: Mapping[str, Json], *, has_answer: bool) -> Json:
    """The error that a 200 response reports. An `error` beside a complete answer is ignored."""
    if choice.get("error"):
        return choice["error"]
    if has_answer:
        return None
    named = document.get("error") or document.get("errors") or document.get("detail")
    if isinstance(named, list) and named:
        named = named[0]
    if named:
        return named
    base = as_object(document.get("base_resp"))
    if base.get("status_code"):
        return {"message": base.get("status_msg"), "code": base["status_code"]}
    if not choice and (document.get("object") == "error" or isinstance(document.get("message"), str)):
        return document
    return None


def _calls(
    listed: Iterable[Json], text: str, offered: Collection[str]
) -> tuple[tuple[ToolCall, ...], str, str | None]:
    """The tool calls of an answer, its text without tool calls, and the error about an unreadable call."""
    structured = _structured(listed)
    if structured or not offered:
        return tuple(_tool_call(n, *one, offered) for n, one in enumerate(structured)), text, None
    written = calls_in(text, offered)
    calls = tuple(_tool_call(n, None, call, offered) for n, call in enumerate(written.calls))
    return calls, written.text, written.problem


def _all_listed(document: Mapping[str, Json], message: Mapping[str, Json]) -> list[Json]:
    """The tool calls of `message`; if it has none, those of the other choices.

    One answer was requested, so servers with several choices have divided it.
    """
    if listed := _listed(message):
        return listed
    others = map(as_object, as_list(document.get("choices"))[1:])
    return [call for other in others for call in _listed(as_object(other.get("message")))]


def _structured(listed: Iterable[Json]) -> list[tuple[str | None, WrittenCall]]:
    """The tool calls in the fields of an answer: their ids, names and arguments."""
    found = []
    for call in listed:
        function = as_object(call).get("function")
        body = function if isinstance(function, Mapping) else as_object(call)
        name = as_name(body.get("name")) or (function if isinstance(function, str) else None)
        arguments = body.get("arguments", body.get("parameters", body.get("input")))
        if name:
            found.append((as_name(as_object(call).get("id")), WrittenCall(name, arguments)))
    return found


def _listed(message: Mapping[str, Json]) -> list[Json]:
    """The tool calls of `tool_calls`, of the older `function_call`, or among the parts of the content."""
    calls = message.get("tool_calls")
    if isinstance(calls, str):
        calls = _loads(calls)
    if listed := as_list(calls) or ([calls] if isinstance(calls, Mapping) and calls else []):
        return listed
    if isinstance(message.get("function_call"), Mapping):
        return [{"function": message["function_call"]}]
    parts = map(as_object, as_list(message.get("content")))
    return [part for part in parts if as_name(part.get("type")) in _CALL_PARTS]


def _loads(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _tool_call(index: int, call_id: str | None, call: WrittenCall, offered: Collection[str]) -> ToolCall:
    name = resolve_name(call.name, offered)
    try:
        return ToolCall(call_id or f"call_{index}", name, arguments_of(name, call.arguments))
    except NotJson as error:
        return ToolCall(call_id or f"call_{index}", name, {}, str(error))


def _reasoning(message: Mapping[str, Json]) -> str:
    """The model's reasoning, if the server sends it separately."""
    for key in ("reasoning", "reasoning_content", "thinking", "reasoning_details"):
        if text := any_text(message.get(key)):
            return text
    return reasoning_in(message.get("content"))


def _refusal(message: Mapping[str, Json]) -> str:
    said = any_text(message.get("refusal"))
    parts = as_list(message.get("content"))
    return said or "\n".join(filter(None, (any_text(as_object(part).get("refusal")) for part in parts)))


def _empty_answer(
    endpoint: Endpoint,
    document: Mapping[str, Json],
    message: Mapping[str, Json],
    finish: str,
    body: str,
    *,
    reasoned: bool,
) -> CallFailed:
    said, meant = _refusal(message), _FINISH.get(finish)
    if said or meant == "content_filter":
        why = said or "stopped by its content filter"
        return unusable(f"{endpoint.model} refused to answer: {why}", passing=False)
    if meant == "length":
        spent = "on its reasoning, " if reasoned else ""
        return unusable(
            f"{endpoint.model} used up its tokens {spent}before it answered: raise max_tokens "
            "(DEFAULT_MAX_TOKENS)",
            passing=False,
        )
    if other := answer_of_other_api(endpoint, document):
        return other
    if reasoned:
        return unusable(f"{endpoint.model} sent an empty answer: only its reasoning arrived", passing=True)
    if not {"choices", "message", "usage"} & document.keys() and document:
        return not_an_answer(endpoint, 200, body, "it has no choices")
    return unusable(f"{endpoint.model} sent an empty answer", passing=True)
