"""References to earlier results inside the parameters of a step: `<Result of Task 001>`.

Case is ignored, and other unambiguous spellings are accepted: `<Output from Step 1>`,
`{{Result of Task 001}}`, `<result_of_task_001>`, `[Task 001 result]`. Numeric ids are compared as numbers: 1,
01 and 001 are the same id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from contracts.core.event import Json
from contracts.core.outcome import Reject

MAX_INSERTED = 8 * 1024 * 1024
"""Maximum characters that placeholders may add to the parameters of one step."""

_BRACKETS = (
    ("<", ">"),
    ("&lt;", "&gt;"),
    (r"\{\{", r"\}\}"),
    (r"\$\{", r"\}"),
    (r"\{", r"\}"),
    (r"\[", r"\](?!\()"),
)
_RESULT = r"(?:results?|outputs?)"
_TASK = r"(?:the[\s_-]+)?(?:sub[\s_-]?)?(?:task|step)s?"
_OF = rf"(?:the\s+)?{_RESULT}[\s_-]+(?:of|from|for)[\s_-]+{_TASK}"
_GAP = r"(?:\s+|[\s_:#-]+|(?=\d))"
_QUOTE = r"[\"'`]?"


def _syntax() -> re.Pattern[str]:
    """The pattern of a placeholder, in all brackets and orders of words. The group that matches is the id."""
    ways = []
    for n, (opening, closing) in enumerate(_BRACKETS):
        before = rf"{_OF}{_GAP}{_QUOTE}(?P<a{n}>[a-z0-9_.-]{{1,64}}?){_QUOTE}"
        after = rf"{_TASK}{_GAP}{_QUOTE}(?P<b{n}>[a-z0-9-]{{1,64}}?){_QUOTE}(?:'s)?[\s_.-]+{_RESULT}"
        ways.append(rf"{opening}\s{{0,8}}(?:{before}|{after})\s{{0,8}}{closing}")
    return re.compile("|".join(ways), re.IGNORECASE)


SYNTAX = _syntax()
_BRACKETED = re.compile(r"[<\[{][^<>\[\]{}\n]{3,160}[>\]}]")
_BOTH_WORDS = re.compile(rf"(?=.*{_RESULT})(?=.*(?:task|step))", re.IGNORECASE)


def placeholder(task_id: str) -> str:
    """The placeholder for the result of a task."""
    return f"<Result of Task {task_id}>"


@lru_cache(maxsize=4096)
def id_key(task_id: str) -> str:
    """The key by which ids are compared: the same for 1, 01 and 001."""
    return (task_id.lstrip("0") or "0") if task_id.isascii() and task_id.isdecimal() else task_id


def id_in(match: re.Match[str]) -> str:
    """The id in a match of SYNTAX, as written."""
    return match[match.lastgroup or 0]


def find(value: Json) -> set[str]:
    """The ids of all placeholders in `value`, as written."""
    return {id_in(match) for text in _texts(value) for match in SYNTAX.finditer(text)}


def misspelt(value: Json, ids: Collection[str]) -> set[str]:
    """Texts in `value` that look like a placeholder for one of `ids` (keys of `id_key`) but are not valid."""
    return {
        written
        for text in _texts(value)
        for written in _BRACKETED.findall(text)
        if _BOTH_WORDS.search(written)
        and not SYNTAX.search(written)
        and any(id_key(word) in ids for word in re.findall(r"[A-Za-z0-9]+", written))
    }


def rewrite(value: Json, ids: Mapping[str, str]) -> Json:
    """`value` with the ids in its placeholders replaced. `ids`: the new ids by `id_key` of the old ones."""

    def renamed(match: re.Match[str]) -> str:
        key = id_key(id_in(match))
        return placeholder(ids[key]) if key in ids else match[0]

    return map_texts(value, lambda text: SYNTAX.sub(renamed, text))


def compact(result: Json) -> str:
    """A result for use inside a text: a string unchanged, any other value as compact JSON."""
    return (
        result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    )


@dataclass(slots=True)
class Resolver:
    """Replaces the placeholders in the parameters of one step by results.

    Placeholders without a result stay as written. Inserted text is not searched again. Raises Reject if more
    than MAX_INSERTED characters would be inserted in total.
    """

    results: Mapping[str, Json]
    as_text: Callable[[Json], str] = compact
    _by_key: dict[str, Json] = field(init=False)
    _texts: dict[str, str] = field(default_factory=dict)
    _room: int = MAX_INSERTED

    def __post_init__(self) -> None:
        self._by_key = {id_key(task_id): result for task_id, result in self.results.items()}

    def value(self, text: str) -> Json:
        """The result itself if `text` is exactly one placeholder, else `text` with results inserted."""
        whole = SYNTAX.fullmatch(text.strip())
        if whole and id_key(id_in(whole)) in self._by_key:
            return self._by_key[id_key(id_in(whole))]
        return self.text(text)

    def text(self, text: str) -> str:
        """`text` with results inserted, each converted by `as_text`."""
        return SYNTAX.sub(self._inserted, text)

    def _inserted(self, match: re.Match[str]) -> str:
        key = id_key(id_in(match))
        if key not in self._by_key:
            return match[0]
        if key not in self._texts:
            self._texts[key] = self.as_text(self._by_key[key])
        inserted = self._texts[key]
        self._room -= len(inserted)
        if self._room < 0:
            raise Reject(
                f"the placeholders of this step would insert more than {MAX_INSERTED} characters; "
                "use fewer of them, or let an earlier step shorten the results"
            )
        return inserted


def map_texts(value: Json, change: Callable[[str], Json]) -> Json:
    """`value` with every string except keys replaced by the result of `change`."""
    match value:
        case str():
            return change(value)
        case dict():
            return {key: map_texts(item, change) for key, item in value.items()}
        case list() | tuple():
            return [map_texts(item, change) for item in value]
        case _:
            return value


def _texts(value: Json) -> Iterator[str]:
    left = [value]
    while left:
        match left.pop():
            case str() as text:
                yield text
            case dict() as items:
                left.extend(items.values())
            case list() | tuple() as items:
                left.extend(items)
