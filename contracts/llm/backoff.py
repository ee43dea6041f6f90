"""The delay before a retry."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from contracts.core.waiting import doubled

FIRST_S = 1.0
LONGEST_S = 30.0
LONGEST_ASKED_S = 60.0
"""With a longer `Retry-After` the client does not wait; the caller decides."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delays with jitter, at least as long as the provider asks for."""

    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    """A number in [0, 1)."""

    def delay(self, failures: int, asked: float | None) -> float | None:
        """Seconds to wait after `failures` failures in a row; None: `asked` is too long to wait here."""
        if asked is not None and asked > LONGEST_ASKED_S:
            return None
        longest = doubled(FIRST_S, failures - 1, LONGEST_S)
        return max(longest * (0.5 + self.jitter() / 2), asked or 0.0)
