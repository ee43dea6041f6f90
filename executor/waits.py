"""Waits until times that are in the log, such as that of a retry.

The wall clock may be set back during a wait, so a wait is over at its time or when it has lasted long enough
by the monotonic clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from datetime import UTC, datetime

REMEMBERED = 10_000
"""Maximum number of waits kept in memory."""


def utc_now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


class Waits:
    """The waits of one process. No wait takes longer than `longest_s`, even if its time is further away."""

    def __init__(
        self,
        longest_s: float,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._longest_s = longest_s
        self._now = now
        self._monotonic = monotonic
        self._ends: dict[tuple[Hashable, datetime], float] = {}
        """Latest end of each wait by the monotonic clock, in the order in which they were first asked for."""

    def seconds_left(self, key: Hashable, until: datetime) -> float:
        """The seconds that `key` still has to wait for the time `until`; 0 if the wait is over."""
        left, elapsed = (until - self._now()).total_seconds(), self._monotonic()
        end = self._ends.setdefault((key, until), elapsed + min(left, self._longest_s))
        if len(self._ends) > REMEMBERED:
            del self._ends[next(iter(self._ends))]
        return max(0.0, min(left, end - elapsed))
