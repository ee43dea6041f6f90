"""The time until which this process certainly owns the messages that a consumer delivered to it."""

from __future__ import annotations

import time
from collections.abc import Callable

from contracts.core.outcome import LeaseLost


def boot_time() -> float:
    """Seconds on a monotonic clock that also counts while the process or the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Lease:
    """Ownership of delivered messages. It ends `lease_s` seconds after the last sign of life to the server.

    After it has expired, the server delivers the messages to other processes. The next sign of life starts a
    new term. Code that holds a message of an earlier term must check whether it still owns it.
    """

    def __init__(self, lease_s: float, clock: Callable[[], float] = boot_time) -> None:
        self._lease_s = lease_s
        self.clock = clock
        self._until = clock() + lease_s
        self.term = 1
        """Number of the current term. An expired term is never continued."""

    def renew(self, asked_at: float) -> None:
        """Renew after the server has confirmed a sign of life. `asked_at`: `clock()` before it was sent."""
        if asked_at > self._until:
            self.term += 1
        self._until = asked_at + self._lease_s

    def holds(self, term: int) -> bool:
        """Whether this process certainly still owns the messages it received in `term`."""
        return self.is_held and self.term == term

    @property
    def is_held(self) -> bool:
        """Whether the current term has not expired."""
        return self.clock() < self._until

    def require(self, term: int) -> None:
        """Check `holds`.

        Raises:
            LeaseLost: another process may own the messages of `term`.
        """
        if not self.holds(term):
            raise LeaseLost("this process sent no sign of life for longer than its lease")
