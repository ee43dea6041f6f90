"""The fields of a cron expression: their validation, and the meaning of the day fields. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

from croniter import CroniterError, croniter

MAX_LENGTH = 256
"""Maximum characters of an expression."""

_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = (
    "second (0-59)",
    "minute (0-59)",
    "hour (0-23)",
    "day of month (1-31, L)",
    "month (1-12, JAN-DEC)",
    "day of week (0-7, SUN-SAT, 5#2 the second Friday, 5L the last)",
)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_NAMES = {
    4: {name[:3]: number for number, name in enumerate(_MONTHS, 1)},
    5: {name[:3]: number for number, name in enumerate(_DAYS)},
}
"""Values of three-letter names by position of the field; croniter does not know full names."""
_IN_FULL = {name: name[:3] for name in (*_MONTHS, *_DAYS)}
_LAST_DAY = re.compile(r"([0-7]|[a-z]{3})l|l([a-z]{3})")
"""The last weekday of the month as `5L`, `FRIL` or `LFRI`; croniter expects `L5`."""
_STEPS = re.compile(r"(\w+)-(\w+)/\d+")
_DAY, _WEEKDAY = 3, 5
"""Positions of the day-of-month and day-of-week fields."""
_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
"""First and last value of each field; day of week 7 is 0."""
_STEP = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)/(\d+)")
_ANY = frozenset({"*", "?"})
"""Values of a day field that match every day."""
_SPECIAL = re.compile(r"#|^l|l$|w$")
"""Values that depend on the month: `1#2`, `L`, `L5`, `15W`."""


class InvalidCron(ValueError):
    """The text is not a valid cron expression, or never fires."""


def fields_of(expression: str) -> list[str]:
    """The 5 or 6 fields of an expression, with words such as `@daily` expanded.

    Raises:
        InvalidCron: the expression is not valid.
    """
    if len(expression) > MAX_LENGTH:
        raise InvalidCron(
            f"a cron expression has at most {MAX_LENGTH} characters, this has {len(expression)}"
        )
    text = expression.strip().lower()
    if text.startswith("@") and text not in _WORDS:
        raise InvalidCron(f"{expression!r} is not one of these words: {', '.join(_WORDS)}")
    fields = _WORDS.get(text, text).split()
    if len(fields) not in {5, 6}:
        counted = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        raise InvalidCron(
            f"{expression!r} has {counted}; a cron expression has 5 (minute, hour, day of month, "
            "month, day of week) or 6 (seconds first), or is a word such as @daily"
        )
    known = []
    for position, text in enumerate(fields, start=6 - len(fields)):
        known.append(_croniter_syntax(position, text))
        if not _is_field(position, known[-1]):
            raise InvalidCron(f"{text!r} in {expression!r} is not a valid {_FIELDS[position]}")
        if _steps_over_the_end(position, known[-1]):
            raise InvalidCron(f"{text!r} in {expression!r} steps over the end of its range: list the values")
    return known


def _croniter_syntax(position: int, text: str) -> str:
    if position not in _NAMES:
        return text
    short = re.sub(r"[a-z]+", lambda name: _IN_FULL.get(name[0], name[0]), text)
    return ",".join(map(_last_day, short.split(","))) if position == 5 else short


def _last_day(text: str) -> str:
    found = _LAST_DAY.fullmatch(text)
    day = found and (found[1] or found[2])
    return f"l{_NAMES[5].get(day, day)}" if day else text


def _steps_over_the_end(position: int, text: str) -> bool:
    """Whether a range that wraps around, such as 22-2, has a step; croniter computes such steps wrongly."""
    ranges = (_STEPS.fullmatch(part) for part in text.split(","))
    return any(_number(position, one[1]) > _number(position, one[2]) for one in ranges if one)


def _number(position: int, text: str) -> int:
    return int(text) if text.isdecimal() else _NAMES.get(position, {}).get(text, 0)


def _is_field(position: int, text: str) -> bool:
    if re.match(r"[hr](\W|$)", text):  # croniter picks a random or hashed value for these
        return False
    return all(_croniter_accepts(position, part) for part in _parts(text))


def _croniter_accepts(position: int, text: str) -> bool:
    alone = ["*"] * len(_FIELDS)
    alone[position] = text
    try:
        croniter.expand(" ".join(alone), second_at_beginning=True)
    except (CroniterError, ValueError):
        return False
    return True


def day_alternatives(fields: Sequence[str]) -> list[list[str]]:
    """Expressions for croniter that together match what cron matches: a day matches if one of them does.

    If both day fields are restricted, cron fires on a day that matches either. croniter does the same unless
    a field has `#`, `L` or `W`, and it mixes such values up with others in the same list.
    """
    *_, day, month, weekday = fields
    if not any(_is_special(text) for text in (day, weekday)):
        return [list(fields)]
    before = list(fields[:-3])
    days = [] if day in _ANY else _parts(day)
    weekdays = [] if weekday in _ANY else _parts(weekday)
    return [[*before, one, month, "*"] for one in days] + [[*before, "*", month, one] for one in weekdays]


def has_mixed_days(fields: Sequence[str]) -> bool:
    """Whether `#`, `L` or `W` are combined with other days."""
    return len(day_alternatives(fields)) > 1


def require_steps_within(expression: str) -> None:
    """Refuse steps that are longer than their range: `*/90` minutes would fire once an hour.

    Raises:
        InvalidCron: there is such a step.
    """
    fields = fields_of(expression)
    for position, text in enumerate(fields, start=6 - len(fields)):
        if found := too_long_step(position, text):
            first, last = _RANGES[position]
            raise InvalidCron(
                f"{found!r} in {expression!r} takes a step longer than its range, so only its first value "
                f"matches; a {_FIELDS[position].partition(' (')[0]} is {first}-{last}: take a shorter step, "
                "or name the value itself"
            )


def too_long_step(position: int, text: str) -> str | None:
    """The part of a field whose step is longer than its range, or None."""
    for part in text.split(","):
        if found := _STEP.fullmatch(part):
            first, last = _RANGES[position]
            begin = _number(position, found[1]) if found[1] else first
            end = _number(position, found[2]) if found[2] else last
            if int(found[3]) > max(end - begin, 1):
                return part
    return None


def spelled_out(position: int, text: str) -> str:
    """The field with each value once, and the values in place of a step that does not divide the range.

    `*/45` minutes are the minutes 0 and 45, which is not every 45 minutes.
    """
    values = (_uneven_step(position, part) or [_one_name(position, part)] for part in text.split(","))
    return ",".join(dict.fromkeys(chain.from_iterable(values)))


def _uneven_step(position: int, part: str) -> list[str] | None:
    """The values of `*/n` or `a/n` if `n` does not divide the range of the field, else None."""
    found = _STEP.fullmatch(part)
    first, last = _RANGES[position]
    if found is None or found[2] or (last - first + 1) % int(found[3]) == 0:
        return None
    begin = _number(position, found[1]) if found[1] else first
    return [str(value) for value in range(begin, last + 1, int(found[3]))]


def _one_name(position: int, part: str) -> str:
    """A single value as its number; Sunday as 0, which is also 7."""
    if not part.isdecimal() and part not in _NAMES.get(position, {}):
        return part
    value = _number(position, part)
    return str(value % 7 if position == _WEEKDAY else value)


def _is_special(text: str) -> bool:
    return any(_SPECIAL.search(part) for part in text.split(","))


def _parts(text: str) -> list[str]:
    """The parts of a list: all plain values as one part, each special value as its own part."""
    parts = text.split(",")
    plain = ",".join(part for part in parts if not _SPECIAL.search(part))
    return [*([plain] if plain else []), *(part for part in parts if _SPECIAL.search(part))]
