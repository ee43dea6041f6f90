"""Conversations that are too long for a model: reads the limits in the provider's error, and shortens.

First, `max_tokens` is lowered, down to LEAST_TOKENS. Then the longest texts are cut, all to the same length,
so that the conversation fits. The system message is cut only if cutting the others is not enough. A cut text
keeps its beginning and end, with a note about the number of missing characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.core.event import Json

LEAST_TOKENS = 256
"""Minimum tokens for an answer."""
LEAST_CHARS = 400
"""A text is never cut below this many characters."""
CHARS_PER_TOKEN = 3
"""Characters per token, for estimates that are rather too high: English has about four."""
_MARGIN = 0.9
"""Part of the context that is used, because providers also count tokens for roles and tools."""
_HEAD = 0.6
"""Part of a cut text that is taken from its beginning; the rest is from its end."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """The limits in an error of a provider; None: not stated."""

    context: int | None = None
    """Maximum tokens of prompt and answer together."""
    prompt: int | None = None
    """Tokens of the prompt, as the provider counts them."""
    answer: int | None = None
    """Maximum tokens of an answer."""


_N = r"(\d[\d,_.]*\d|\d)"
_ANSWER_LIMITS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        rf"supports at most {_N} completion tokens",
        rf"max_tokens: \d+ > {_N}",
        rf"Range of max_tokens should be \[\d+, {_N}\]",
        rf"max_(?:completion_)?tokens.{{0,40}}must be (?:less than or equal to|<=|at most) `?{_N}",
        rf"valid range of max_tokens is \[\d+, {_N}\]",
    )
)
_CONTEXTS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        rf"maximum context length is {_N}",
        rf"maximum context length of {_N}",
        rf"{_N} maximum context length",
        rf"maximum model length of {_N}",
        rf"context size \({_N} tokens\)",
        rf"context length of only {_N}",
        rf"must be <= {_N}\. Given",
        rf"inputs`? must have less than {_N} tokens",
        rf"maximum number of tokens allowed \({_N}\)",
        rf"tokens > {_N} maximum",
        rf"exceed context limit: \d+ \+ \d+ > {_N}",
        rf"Range of input length should be \[\d+, {_N}\]",
        rf"context window (?:size )?(?:of|is|\() ?{_N}",
        rf"\"?n_ctx\"?:? ?{_N}",
        rf"tokens per minute \(TPM\): Limit {_N}",
        rf"maximum prompt length is {_N}",
        rf"model token limit: {_N}",
        rf"token count of \d+ exceeds the limit of {_N}",
    )
)
_PROMPTS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        rf"\({_N} in the messages",
        rf"messages resulted in {_N} tokens",
        rf"\({_N} of text input",
        rf"request has {_N} input tokens",
        rf"prompt \(length {_N}\)",
        rf"Given: {_N} `?inputs`? tokens",
        rf"less than \d+ tokens\. Given: {_N}",
        rf"first {_N} tokens when context",
        rf"Prompt contains {_N} tokens",
        rf"input token count \({_N}\)",
        rf"prompt is too long: {_N} tokens",
        rf"exceed context limit: {_N} \+",
        rf"request \({_N} tokens\) exceeds",
        rf"prompt contains at least {_N} input tokens",
        rf"\"?n_prompt_tokens\"?:? ?{_N}",
        rf"request contains {_N} tokens",
        rf"token count of {_N} exceeds",
    )
)
_TOO_LONG = re.compile(
    r"context.{0,20}(?:length|size|window|limit)|maximum (?:context|model) length|too many (?:input )?tokens"
    r"|prompt is too long|input is too long|maximum prompt length|model token limit|payload too large"
    r"|input length|reduce the length"
    r"|exceeds? the (?:maximum|available|max)[^.]{0,40}tokens"
    r"|token count.{0,40}exceeds|`inputs` tokens|request too large|context_length_exceeded|max_tokens"
    r"|max_completion_tokens|exceed_context_size|context the overflows|inputs`? must have less",
    re.IGNORECASE | re.DOTALL,
)
_IN_WORDS = re.compile(
    r"context|(?:prompt|input) is too long|reduce the length|(?:request|payload) too large|input length",
    re.IGNORECASE,
)
"""Texts that mean an overflow even without a number."""
_STATUSES = frozenset({400, 413, 422, 429, 500, 502})


def overflow_in(said: str, status: int | None) -> Overflow | None:
    """The limits in an error message; None if the error is not about a length."""
    if status not in _STATUSES or not _TOO_LONG.search(said):
        return None
    overflow = Overflow(_number(_CONTEXTS, said), _number(_PROMPTS, said), _number(_ANSWER_LIMITS, said))
    known = overflow != Overflow()
    return overflow if known or (status != 429 and _IN_WORDS.search(said)) else None


def estimated_tokens(messages: Iterable[Mapping[str, Json]], tools: Json = None) -> int:
    """The estimated tokens of a prompt, rather too high."""
    calls = sum(len(str(message.get("tool_calls") or "")) for message in messages)
    return (sum(_lengths(messages)) + calls + len(str(tools or ""))) // CHARS_PER_TOKEN


def fitting_tokens(wanted: int, overflow: Overflow, prompt: int) -> int | None:
    """`max_tokens` within the limits; None if there is no room for an answer."""
    room = wanted if overflow.answer is None else min(wanted, overflow.answer)
    if overflow.context is not None:
        room = min(room, overflow.context - prompt)
    return room if room >= min(LEAST_TOKENS, wanted) else None


def shortened(messages: Sequence[Mapping[str, Json]], part: float) -> list[Mapping[str, Json]] | None:
    """`messages` cut to `part` of their length, as described above; None if they cannot be cut that far."""
    total = sum(_lengths(messages))
    excess = total - int(total * part)
    for whole_roles in ({"system"}, set[str]()):
        limit = _limit(_lengths(one for one in messages if one.get("role") not in whole_roles), excess)
        if limit is not None:
            return [one if one.get("role") in whole_roles else _cut_message(one, limit) for one in messages]
    return None


def part_to_keep(overflow: Overflow, prompt: int) -> float:
    """The part of a prompt to keep so that an answer fits; half if the limit is unknown."""
    if overflow.context is None or prompt <= 0:
        return 0.5
    room = max(overflow.context - LEAST_TOKENS * 2, overflow.context // 2)
    return max(0.05, min(0.9, room * _MARGIN / prompt))


def _limit(lengths: Sequence[int], excess: int) -> int | None:
    """The length to which the longest texts are cut to remove `excess` characters; None if impossible."""
    if sum(max(0, length - LEAST_CHARS) for length in lengths) < excess:
        return None
    low, high = LEAST_CHARS, max(lengths, default=LEAST_CHARS)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(max(0, length - middle) for length in lengths) >= excess:
            low = middle
        else:
            high = middle - 1
    return low


def _cut_message(message: Mapping[str, Json], limit: int) -> Mapping[str, Json]:
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": _cut(content, limit)}
    if isinstance(content, list):
        return {**message, "content": [_cut_part(part, limit) for part in content]}
    return message


def _cut_part(part: Json, limit: int) -> Json:
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return {**part, "text": _cut(part["text"], limit)}
    return part


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    head = int(limit * _HEAD)
    note = f"\n… ({len(text) - limit} characters are left out here) …\n"
    return f"{text[:head]}{note}{text[len(text) - (limit - head) :]}"


def _lengths(messages: Iterable[Mapping[str, Json]]) -> list[int]:
    """The number of characters of each text in `messages`."""
    return [len(text) for message in messages for text in _texts(message.get("content"))]


def _texts(content: Json) -> list[str]:
    if isinstance(content, str):
        return [content]
    if isinstance(content, list):
        return [
            part["text"]
            for part in content
            if isinstance(part, Mapping) and isinstance(part.get("text"), str)
        ]
    return []


def _number(patterns: Iterable[re.Pattern[str]], said: str) -> int | None:
    for pattern in patterns:
        if found := pattern.search(said):
            return int(re.sub(r"\D", "", found[1]))
    return None
