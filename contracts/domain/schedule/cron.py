"""Cron schedules: the instants at which an expression fires in a time zone. Pure.

An expression has 5 fields, or 6 with leading seconds; names (`MON`, `Monday`, `JAN`), `L` (the last day of
the month, `5L` its last Friday), `#`, `W` and words such as `@daily` are allowed. A range may wrap around:
`22-2` is from 22 to 2. At daylight saving time changes:

- an expression that names its hours (`30 2 * * *`) fires once for each local time: at the first of two
  occurrences, and at the first instant after the gap if the local time is skipped;
- an expression for every hour (`*/30 * * * *`) follows the wall clock: a repeated local time fires twice, a
  skipped local time does not fire.
"""

from __future__ import annotations

from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from contracts.core.timezones import parse_timezone
from contracts.domain.schedule.expression import InvalidCron, day_alternatives, fields_of

_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
_SHORTEST = timedelta.resolution
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cron:
    """The ticks of an expression in a time zone. Instants are aware; ticks are full seconds in UTC."""

    expression: str
    timezone: str
    """IANA name, in its canonical spelling."""
    _zone: ZoneInfo = field(repr=False, compare=False)
    _matchers: tuple[croniter[datetime], ...] = field(repr=False, compare=False)
    """A wall-clock time matches if any of these matches."""
    _every_hour: bool = field(repr=False, compare=False)

    @staticmethod
    @lru_cache(maxsize=1024)
    def parse(expression: str, timezone: str = "UTC") -> Cron:
        """The schedule for `expression`.

        Raises:
            InvalidCron: a field is invalid, or no date ever matches; the message says which.
            InvalidTimezone: the time zone is unknown.
        """
        zone = parse_timezone(timezone)
        matchers = tuple(filter(None, map(_matcher, day_alternatives(fields_of(expression)))))
        if not matchers:
            raise InvalidCron(f"{expression!r} never fires: the day does not exist in these months")
        return Cron(expression, zone.key, zone, matchers, _every_hour=matchers[0].expanded[1] == ["*"])

    def next_after(self, instant: datetime) -> datetime:
        """The first tick after `instant`."""
        return _next_after(self, instant.astimezone(UTC))

    def ticks(self, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """The first `limit` ticks in (`after`, `until`]."""
        found: list[datetime] = []
        tick = after
        while len(found) < limit and (tick := self.next_after(tick)) <= until:
            found.append(tick)
        return found

    def latest_before(self, instant: datetime) -> datetime:
        """The last tick before `instant`."""
        back = timedelta(minutes=1)
        while (tick := self.next_after(instant - back)) >= instant:
            back *= 2
        silence = instant - _SHORTEST  # there is no tick from `silence` to `instant`
        while silence - tick > _SECOND:
            middle = tick + (silence - tick) / 2
            later = self.next_after(middle)
            if later < instant:
                tick = later
            else:
                silence = middle
        return next(iter(self.ticks(tick, silence, 1)), tick)

    def compute_next(self, instant: datetime) -> datetime:
        """What `next_after` returns, without its cache."""
        return self._next_by_wall_clock(instant) if self._every_hour else self._next_by_local_time(instant)

    def _next_by_local_time(self, instant: datetime) -> datetime:
        local = instant.astimezone(self._zone)
        wall = local.replace(tzinfo=None, fold=0)
        if local.fold:  # the first occurrences of all repeated local times are in the past
            first = local.replace(fold=0).astimezone(UTC)
            wall = _wall_time(_change(self._zone, first, instant), _offset(self._zone, first)) - _SHORTEST
        return _first_occurrence(self._match(wall), self._zone)

    def _next_by_wall_clock(self, instant: datetime) -> datetime:
        offset = _offset(self._zone, instant)
        wall = _wall_time(instant, offset)
        while True:
            tick = self._match(wall).replace(tzinfo=UTC) - offset
            change = _change(self._zone, instant, tick)
            if change == tick and _offset(self._zone, tick) == offset:
                return tick
            instant, offset = change, _offset(self._zone, change)
            wall = _wall_time(change, offset) - _SHORTEST

    def _match(self, wall: datetime) -> datetime:
        """The first wall-clock time after `wall` that matches the expression."""
        return min(one.get_next(datetime, start_time=wall) for one in self._matchers)


@lru_cache(maxsize=16384)
def _next_after(cron: Cron, instant: datetime) -> datetime:
    """Cached: schedules share expressions, and each asks several times for the tick after its last."""
    return cron.compute_next(instant)


def _matcher(fields: list[str]) -> croniter[datetime] | None:
    """The matcher of an expression, or None if no date ever matches."""
    matcher = croniter(" ".join(fields), _EPOCH, ret_type=datetime, second_at_beginning=True)
    with suppress(CroniterBadDateError):
        matcher.get_next()
        return matcher
    return None


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _wall_time(instant: datetime, offset: timedelta) -> datetime:
    return (instant.astimezone(UTC) + offset).replace(tzinfo=None)


def _first_occurrence(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the local time is `wall`, or the end of the gap that skips it."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    before_the_gap = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _change(zone, before_the_gap, instant)


def _change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """The first instant in (`start`, `end`] with a UTC offset different from that at `start`, else `end`."""
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
