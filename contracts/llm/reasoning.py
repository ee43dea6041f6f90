"""Separates a model's reasoning from its answer if both are in one text.

Models and servers mark reasoning in many ways: by tags (`<think>`) or by tokens of their templates
(`[THINK]`, `<|channel|>analysis`). Often only the closing tag arrives, because the opening tag is in the
prompt template. Text that is marked as reasoning is never used as an answer.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NAMES = (
    r"(?:ant|seed:)?think|(?:ant)?thinking|thoughts?|reasoning|reflection|scratchpad|inner_monologue"
    r"|analysis"
)
_OPEN = (
    rf"<(?P<tag>{_NAMES})(?:\s[^<>]{{0,80}})?>|<\|channel>thought\b|\[THINK\]"
    r"|◁think▷|<\|begin_of_thought\|>|<\|START_THINKING\|>"
    r"|<\|thinking\|>|<reasoning_engine>"
)
_CLOSE = (
    rf"</(?:{_NAMES})\s*>|<channel\|>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<\|END_THINKING\|>"
    r"|<\|/thinking\|>|</reasoning_engine>"
)
_OPENING = re.compile(rf"(?:\A|(?<=\n))[ \t]*(?:{_OPEN})", re.IGNORECASE)
"""An opening mark counts only at the beginning of a line: elsewhere a model may mention it."""
_CLOSING = re.compile(_CLOSE, re.IGNORECASE)
_ORPHAN = re.compile(rf"(?<![`'\"])(?:{_CLOSE})[ \t]*(?=\n|\Z|```|[#*{{<\[\w])", re.IGNORECASE)
"""A closing mark without an opening mark counts only where an answer can begin after it."""
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)

_HARMONY = re.compile(
    r"<\|channel\|>\s*(?P<channel>\w+)(?P<header>[^<]*(?:<\|constrain\|>[^<]*)?)<\|message\|>"
    r"(?P<text>.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
_HARMONY_TOKENS = re.compile(r"<\|(?:start|end|return|call|channel|message|constrain)\|>(?:assistant\b)?")
_TOKENS = re.compile(
    r"<\|(?:im_end|im_start|eot_id|end_of_text|endoftext|eom_id|end|START_RESPONSE|END_RESPONSE"
    r"|begin_of_solution|end_of_solution|begin_of_box|end_of_box)\|>|</s>\s*\Z|<end_of_turn>|\A\s*<answer>|</answer>\s*\Z"
)
"""Template tokens that servers did not remove, and tags that some models put around an answer."""

_RESPONSE = re.compile(r"<response>(.*?)(?:</response>)?", re.DOTALL)
"""A tag that Granite puts around an answer after reasoning. Elsewhere it may be a part of the answer."""


class Parts(NamedTuple):
    """The parts of a text."""

    reasoning: str
    answer: str


def split_reasoning(text: str) -> Parts:
    """Splits `text` into reasoning and answer."""
    if "<|channel|>" in text:
        return _harmony(text)
    reasoning: list[str] = []
    rest = _without_orphan(text, reasoning)
    rest = _without_blocks(rest, reasoning)
    answer = _TOKENS.sub("", rest).strip()
    if reasoning and (wrapped := _RESPONSE.fullmatch(answer)):
        answer = wrapped[1].strip()
    return Parts("\n\n".join(filter(None, map(str.strip, reasoning))), answer)


def _without_orphan(text: str, reasoning: list[str]) -> str:
    """`text` without the part before a closing mark that has no opening mark."""
    first = _ORPHAN.search(text)
    if first is None or _in_fence(text, first.start()):
        return text
    opening = _OPENING.search(text)
    if opening is not None and opening.start() < first.start():
        return text
    reasoning.append(text[: first.start()])
    return text[first.end() :]


def _without_blocks(text: str, reasoning: list[str]) -> str:
    """`text` without the marked blocks. A block without a closing mark extends to the end of the text."""
    kept: list[str] = []
    position = 0
    while opening := _OPENING.search(text, position):
        if _in_fence(text[position:], opening.start() - position):
            kept.append(text[position : opening.end()])
            position = opening.end()
            continue
        kept.append(text[position : opening.start()])
        closing = _CLOSING.search(text, opening.end())
        reasoning.append(text[opening.end() : closing.start() if closing else len(text)])
        position = _end_of_block(text, closing.end(), reasoning) if closing else len(text)
    return "".join([*kept, text[position:]])


def _end_of_block(text: str, position: int, reasoning: list[str]) -> int:
    """The end of a block. A block that quotes its own marks has a second closing mark."""
    orphan = _ORPHAN.search(text, position)
    following = _OPENING.search(text, position)
    if orphan is None or (following is not None and following.start() < orphan.start()):
        return position
    if _in_fence(text[position:], orphan.start() - position):
        return position
    reasoning.append(text[position : orphan.start()])
    return orphan.end()


def _in_fence(text: str, position: int) -> bool:
    """Whether `position` is inside a code block that is closed later."""
    before = len(_FENCE.findall(text, 0, position))
    return before % 2 == 1 and _FENCE.search(text, position) is not None


def _harmony(text: str) -> Parts:
    """Splits a text with channels: `analysis` is reasoning, `final` is the answer.

    `commentary` is the answer if there is no `final`. A commentary to a tool is kept for `text_calls`.
    """
    said: dict[str, list[str]] = {"analysis": [], "final": [], "commentary": []}
    for message in _HARMONY.finditer(text):
        channel = message["channel"].lower()
        addressed = (
            "to=" in message["header"] or "to=" in text[max(0, message.start() - 80) : message.start()]
        )
        if addressed and channel != "final":
            start = text.rfind("<|start|>", 0, message.start())
            whole = text[start if start >= 0 else message.start() : message.end()]
            said["commentary"].append(whole)
        else:
            said.get(channel, said["commentary"]).append(message["text"].strip())
    outside = _HARMONY_TOKENS.sub("", _HARMONY.sub("", text)).strip() if not any(said.values()) else ""
    answer = said["final"] or said["commentary"] or [outside]
    return Parts("\n\n".join(said["analysis"]).strip(), "\n\n".join(filter(None, answer)).strip())
