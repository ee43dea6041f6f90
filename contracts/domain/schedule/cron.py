"""Cron schedules: which instants an expression names in a time zone. Pure; the clock comes in as an argument.

An expression has 5 fields, or 6 with leading seconds; names (`MON`, `Monday`, `JAN`), `L` (the last day of
the month, `5L` its last Friday), `#`, `W` and words such as `@daily` are understood. A range may run over the
end: `22-2` is from 22 to 2. When clocks change:

- an expression that names its hours (`30 2 * * *`) fires once for each local time: at the first of two
  occurrences, and at the first instant after the gap when the local time is skipped;
- one that names every hour (`*/30 * * * *`) follows the clock on the wall: what comes twice fires twice, what
  is skipped does not fire, so it keeps its pace through the change.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cron_descriptor import ExpressionDescriptor  # type: ignore[import-untyped]
from cron_descriptor.Exception import FormatError  # type: ignore[import-untyped]
from croniter import CroniterBadDateError, CroniterError, croniter

from contracts.core.timezones import parse_timezone

MAX_LENGTH = 256
"""Characters of an expression."""

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
"""What three letters stand for, by the position of the field; croniter knows no longer names."""
_IN_FULL = {name: name[:3] for name in (*_MONTHS, *_DAYS)}
_LAST_DAY = re.compile(r"([0-7]|[a-z]{3})l|l([a-z]{3})")
"""The last such day of the month, as `5L`, `FRIL` or `LFRI`: croniter knows `L5`."""
_STEPS = re.compile(r"(\w+)-(\w+)/\d+")
_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
_SHORTEST = timedelta.resolution
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class InvalidCron(ValueError):
    """The text is no cron expression, or one that never comes."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The ticks of one expression in one time zone. Instants are aware; ticks are whole seconds in UTC."""

    expression: str
    timezone: str
    """IANA name, in its own spelling."""
    _zone: ZoneInfo = field(repr=False, compare=False)
    _matcher: croniter[datetime] = field(repr=False, compare=False)
    _every_hour: bool = field(repr=False, compare=False)

    @classmethod
    def parse(cls, expression: str, timezone: str = "UTC") -> Cron:
        """The schedule that `expression` names.

        Raises:
            InvalidCron: the message says which field is wrong, or that no date ever matches.
            InvalidTimezone: the name is unknown.
        """
        zone = parse_timezone(timezone)
        text = " ".join(_fields(expression))
        matcher = croniter(text, _EPOCH, ret_type=datetime, second_at_beginning=True)
        try:
            matcher.get_next()
        except CroniterBadDateError:
            raise InvalidCron(f"{expression!r} never comes: no such month has such a day") from None
        return cls(expression, zone.key, zone, matcher, _every_hour=matcher.expanded[1] == ["*"])

    def next_after(self, instant: datetime) -> datetime:
        """The first tick later than `instant`."""
        return self._next_on_the_wall(instant) if self._every_hour else self._next_local_time(instant)

    def ticks(self, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """The first `limit` ticks in (`after`, `until`]."""
        found: list[datetime] = []
        tick = after
        while len(found) < limit and (tick := self.next_after(tick)) <= until:
            found.append(tick)
        return found

    def latest_before(self, instant: datetime) -> datetime:
        """The last tick earlier than `instant`."""
        back = timedelta(minutes=1)
        while (tick := self.next_after(instant - back)) >= instant:
            back *= 2
        silence = instant - _SHORTEST  # from here to `instant` there is no tick
        while silence - tick > _SECOND:
            middle = tick + (silence - tick) / 2
            later = self.next_after(middle)
            if later < instant:
                tick = later
            else:
                silence = middle
        return next(iter(self.ticks(tick, silence, 1)), tick)

    def _next_local_time(self, instant: datetime) -> datetime:
        local = instant.astimezone(self._zone)
        wall = local.replace(tzinfo=None, fold=0)
        if local.fold:  # every local time up to the end of the repeated ones has had its first occurrence
            first = local.replace(fold=0).astimezone(UTC)
            wall = _wall(_change(self._zone, first, instant), _offset(self._zone, first)) - _SHORTEST
        return _first_occurrence(self._match(wall), self._zone)

    def _next_on_the_wall(self, instant: datetime) -> datetime:
        offset = _offset(self._zone, instant)
        wall = _wall(instant, offset)
        while True:
            tick = self._match(wall).replace(tzinfo=UTC) - offset
            change = _change(self._zone, instant, tick)
            if change == tick and _offset(self._zone, tick) == offset:
                return tick
            instant, offset = change, _offset(self._zone, change)
            wall = _wall(change, offset) - _SHORTEST

    def _match(self, wall: datetime) -> datetime:
        """The first wall-clock time after `wall` that the expression names."""
        return self._matcher.get_next(datetime, start_time=wall)


def describe(expression: str) -> str:
    """The expression in English (`At 09:00 AM`), or `Invalid schedule`."""
    try:
        text = " ".join(_fields(expression)).upper().replace("?", "*")
        english = ExpressionDescriptor(text, use_24hour_time_format=False, locale_code="en_US")
        return str(english.get_description())
    except (InvalidCron, FormatError):
        return "Invalid schedule"


def _fields(expression: str) -> list[str]:
    """The 5 or 6 fields of a valid expression, words such as `@daily` spelled out."""
    if len(expression) > MAX_LENGTH:
        raise InvalidCron(
            f"a cron expression has at most {MAX_LENGTH} characters, this has {len(expression)}"
        )
    text = expression.strip().lower()
    if text.startswith("@") and text not in _WORDS:
        raise InvalidCron(f"{expression!r} is none of the words there are: {', '.join(_WORDS)}")
    fields = _WORDS.get(text, text).split()
    if len(fields) not in {5, 6}:
        raise InvalidCron(
            f"{expression!r} has {len(fields)} fields; a cron expression has 5 (minute, hour, day of month, "
            "month, day of week) or 6 (seconds first), or is a word such as @daily"
        )
    known = []
    for position, text in enumerate(fields, start=6 - len(fields)):
        known.append(_as_croniter_knows_it(position, text))
        if not _is_field(position, known[-1]):
            raise InvalidCron(f"{text!r} in {expression!r} is no valid {_FIELDS[position]}")
        if _steps_over_the_end(position, known[-1]):
            raise InvalidCron(f"{text!r} in {expression!r} steps over the end of its range: list the values")
    return known


def _as_croniter_knows_it(position: int, text: str) -> str:
    if position not in _NAMES:
        return text
    short = re.sub(r"[a-z]+", lambda name: _IN_FULL.get(name[0], name[0]), text)
    return ",".join(map(_last_day, short.split(","))) if position == 5 else short


def _last_day(text: str) -> str:
    found = _LAST_DAY.fullmatch(text)
    day = found and (found[1] or found[2])
    return f"l{_NAMES[5].get(day, day)}" if day else text


def _steps_over_the_end(position: int, text: str) -> bool:
    """Whether it takes steps in a range like 22-2, which croniter miscounts."""
    ranges = (_STEPS.fullmatch(part) for part in text.split(","))
    return any(_number(position, one[1]) > _number(position, one[2]) for one in ranges if one)


def _number(position: int, text: str) -> int:
    return int(text) if text.isdecimal() else _NAMES.get(position, {}).get(text, 0)


def _is_field(position: int, text: str) -> bool:
    if re.match(r"[hr](\W|$)", text):  # croniter's "any hour that suits you": not a fixed schedule
        return False
    alone = ["*"] * len(_FIELDS)
    alone[position] = text
    try:
        croniter.expand(" ".join(alone), second_at_beginning=True)
    except (CroniterError, ValueError):
        return False
    return True


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _wall(instant: datetime, offset: timedelta) -> datetime:
    return (instant.astimezone(UTC) + offset).replace(tzinfo=None)


def _first_occurrence(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which clocks in `zone` show `wall`, or the end of the gap that skips it."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    before_the_gap = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _change(zone, before_the_gap, instant)


def _change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """The first instant in (`start`, `end`] with another UTC offset than at `start`, else `end`."""
    offset = _offset(zone, start)
    near = start
    while _offset(zone, far := min(near + _DAY, end)) == offset:
        if far == end:
            return end
        near = far
    seconds = range(int(near.timestamp()) + 1, int(far.timestamp()) + 1)
    changed = bisect_left(
        seconds, True, key=lambda second: _offset(zone, datetime.fromtimestamp(second, UTC)) != offset
    )
    return datetime.fromtimestamp(seconds[changed], UTC)
