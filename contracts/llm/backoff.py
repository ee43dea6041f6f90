"""How long to wait before asking again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from contracts.core.waiting import doubled

FIRST_S = 1.0
LONGEST_S = 30.0
LONGEST_ASKED_S = 60.0
"""A longer `Retry-After` is left to the caller, who need not hold the call open."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delays with jitter, never shorter than what the provider asks for."""

    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    """A number in [0, 1)."""

    def delay(self, failures: int, asked: float | None) -> float | None:
        """Seconds to wait after that many failures in a row; None: too long to wait here."""
        if asked is not None and asked > LONGEST_ASKED_S:
            return None
        longest = doubled(FIRST_S, failures - 1, LONGEST_S)
        return max(longest * (0.5 + self.jitter() / 2), asked or 0.0)
