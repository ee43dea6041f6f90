"""Computes which ticks are due, and which of them fires. Pure: the current time is an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.domain.schedule.cron import Cron

ON_TIME = timedelta(minutes=1)
"""Maximum delay of a tick that counts as on time: clocks are set, and processes stall or are replaced."""
LISTED = 100
"""Maximum number of missed ticks recorded one by one. One more record represents all others."""
COUNTED = 1000
"""Maximum number of missed ticks that are counted exactly, because counting takes time."""

Delay = Callable[[datetime], timedelta]
"""Returns the delay of a tick."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A tick that will not fire."""

    tick: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Due:
    """All ticks to decide now; at least one."""

    missed: tuple[Missed, ...]
    """In order; the last may represent others before it."""
    fires: datetime | None
    """The latest tick, if it is not too late to fire; None otherwise."""
    first: datetime
    latest: datetime


def due(
    cron: Cron, *, after: datetime, now: datetime, catch_up: timedelta, delay: Delay = lambda _: timedelta()
) -> Due | None:
    """The ticks after `after` that are due at `now`; None if there are none.

    Only the latest can fire: after an outage a schedule runs once, not once for each missed tick. A tick is
    due `delay` after its time, which is before the next tick.
    """
    first = cron.next_after(after)
    if first + delay(first) > now:
        return None
    latest = first if cron.next_after(first) > now else cron.latest_before(now + timedelta.resolution)
    if latest != first and latest + delay(latest) > now:
        latest = cron.latest_before(latest)
    if now - latest - delay(latest) <= max(catch_up, ON_TIME):
        before = latest - timedelta.resolution
        later = "a later tick was due before this one was decided"
        missed = _missed(cron, after, before, later) if first != latest else ()
        return Due(missed, fires=latest, first=first, latest=latest)
    too_late = f"noticed more than {catch_up // timedelta(seconds=1)} s late, the limit of this schedule"
    missed = _missed(cron, after, latest, too_late)
    return Due(missed, fires=None, first=first, latest=latest)


def _missed(cron: Cron, after: datetime, until: datetime, reason: str) -> tuple[Missed, ...]:
    """All ticks in (`after`, `until`]: the first LISTED one by one, the others as one."""
    ticks = cron.ticks(after, until, COUNTED + 1)
    if len(ticks) <= LISTED + 1:
        return tuple(Missed(tick, reason) for tick in ticks)
    number = str(len(ticks) - LISTED) if len(ticks) <= COUNTED else f"more than {COUNTED - LISTED}"
    others = f"represents {number} ticks, from {ticks[LISTED].isoformat()} to this one: {reason}"
    last = cron.latest_before(until + timedelta.resolution)
    return (*(Missed(tick, reason) for tick in ticks[:LISTED]), Missed(last, others))
