"""Until when this process has for certain what a consumer gave it."""

from __future__ import annotations

import time
from collections.abc import Callable

from contracts.core.outcome import LeaseLost


def uninterrupted() -> float:
    """Seconds on a clock that goes on while the process, or the machine, is stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Lease:
    """The right to what is in hand: it lasts for `lease_s` seconds after the server has last heard from us.

    When it has run out the server gives the messages to others. The next sign of life begins a new term, and
    whoever held something in an earlier one has to find out whether it is still theirs.
    """

    def __init__(self, lease_s: float, clock: Callable[[], float] = uninterrupted) -> None:
        self._lease_s = lease_s
        self.clock = clock
        self._until = clock() + lease_s
        self.term = 1
        """Counts the terms; one that has run out is never taken up again."""

    def renew(self, asked_at: float) -> None:
        """The server has heard from us; `asked_at`: what `clock` said before we began to tell it."""
        if asked_at > self._until:
            self.term += 1
        self._until = asked_at + self._lease_s

    def holds(self, term: int) -> bool:
        """Whether what was in hand in this term is still ours for certain."""
        return self.is_held and self.term == term

    @property
    def is_held(self) -> bool:
        """Whether the current term has not run out."""
        return self.clock() < self._until

    def require(self, term: int) -> None:
        """Check `holds`.

        Raises:
            LeaseLost: it may be in the hands of another.
        """
        if not self.holds(term):
            raise LeaseLost("this process was silent for longer than its lease")
