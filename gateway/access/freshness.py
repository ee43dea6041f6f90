"""How old the keys in memory may be: a gateway without the log does not learn which keys are revoked."""

from __future__ import annotations

import asyncio
import contextlib

from contracts.runtime.follow import Follower
from contracts.runtime.log import Unavailable

CHECK_S = 1.0
"""Seconds between two comparisons of the keys with the log, and the longest time that one takes."""
MAX_AGE_S = 30.0
"""How long keys are accepted after the last comparison that succeeded."""


class Freshness:
    """Compares the keys in memory with the log, and tells when they are too old to be used."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower

    async def run(self) -> None:
        """A worker: compares once a second until cancelled."""
        while True:
            with contextlib.suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._follower.catch_up()
            await asyncio.sleep(CHECK_S)

    def require(self) -> None:
        """Check that the keys are recent enough.

        Raises:
            Unavailable: they are older than MAX_AGE_S.
        """
        if self._follower.age_s > MAX_AGE_S:
            raise Unavailable(
                f"Keys cannot be checked: this gateway has not reached the log for {MAX_AGE_S:g} s, so it "
                "does not know which keys were revoked. Look at nats-server, or use another gateway"
            )
