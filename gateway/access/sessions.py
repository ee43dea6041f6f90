"""Requests in progress. Streams end soon after the key or token of their request is not valid any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime

import structlog
from aiohttp import web

from gateway.access.principals import Principal

CHECK_S = 1.0
"""Seconds between two checks of all open requests."""
READS = frozenset({"GET", "HEAD"})

logger = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Session:
    """A request in progress, for as long as a `with` block runs."""

    request: web.Request
    principal: Principal
    among: set[_Session]

    def __enter__(self) -> None:
        self.among.add(self)

    def __exit__(self, *_: object) -> None:
        self.among.discard(self)


class Sessions:
    """The reads in progress. Writes complete: they were allowed when they were accepted."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._open: set[_Session] = set()

    def during(self, request: web.Request, principal: Principal) -> AbstractContextManager[None]:
        """Hold a request in a `with` block: it ends early if its principal becomes invalid."""
        if principal.is_anonymous or request.method not in READS:
            return nullcontext()
        return _Session(request, principal, self._open)

    async def run(self) -> None:
        """A worker: checks all open requests until cancelled."""
        while True:
            await asyncio.sleep(CHECK_S)
            self.end_invalid()

    def end_invalid(self) -> None:
        """Disconnect the clients whose key or token is not valid any more."""
        now = self._clock()
        for session in self._open:
            transport = session.request.transport
            if transport is not None and not session.principal.is_valid(now):
                logger.info(
                    "a stream ends: its key is not valid, or cannot be checked", actor=session.principal.actor
                )
                transport.abort()
