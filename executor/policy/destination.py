"""The destination of a call that sends something to others, and who has named it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import orjson

from contracts.core.event import Json
from contracts.core.tool import Outward
from executor.policy.rules import Rules

_AROUND = frozenset(" \t\r\n\"'`<>()[]{},;|=\u00a0\u201c\u201d\u2018\u2019\u00ab\u00bb")
"""Characters that separate an address from the text around it."""
_BEFORE = _AROUND | {":"}
_PUNCTUATION = ".,:;!?"
"""May end a sentence after an address."""


def parts(value: Json, outward: Outward) -> Iterator[str]:
    """The texts and numbers in a parameter with the destination; also keys, if all parameters count."""
    left = [value]
    while left:
        match left.pop():
            case str() as text:
                yield text.strip()
            case None | bool():
                pass
            case list() | tuple() as items:
                left.extend(items)
            case dict() as items:
                left.extend(items.values())
                if outward.kind == "other":
                    yield from items
            case other:
                yield orjson.dumps(other).decode()


def who_named(part: str, outward: Outward, texts: Sequence[str], rules: Rules) -> str | None:
    """Who named a part of a destination: a setting, or `texts` of the goal. None: nobody trusted."""
    if outward.kind == "email" and rules.allows_recipient(part):
        return "ALLOWED_RECIPIENTS"
    if outward.kind == "url" and rules.allows_url(part):
        return "ALLOWED_WEBHOOK_HOSTS"
    if any(mentions(text, part) for text in texts):
        return "the goal"
    if outward.kind == "email" and any(mentions(_folded(text), part.casefold()) for text in texts):
        return "the goal"
    return None


@lru_cache(maxsize=256)
def _folded(text: str) -> str:
    """`text` in lower case. The texts of a goal are asked for again and again."""
    return text.casefold()


def mentions(text: str, part: str) -> bool:
    """Whether `part` is in `text` as a whole, not as a part of a longer address or word."""
    at = text.find(part)
    while at >= 0:
        end = at + len(part)
        if (at == 0 or text[at - 1] in _BEFORE) and _ends(text, end):
            return True
        at = text.find(part, at + 1)
    return False


def _ends(text: str, at: int) -> bool:
    if at < len(text) and text[at] in _AROUND:
        return True
    while at < len(text) and text[at] in _PUNCTUATION:
        at += 1
    return at == len(text) or text[at] in _AROUND
