"""Requests in progress. Streams end soon after the key or token of their request is not valid any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog
from aiohttp import web

from gateway.access.principals import Principal

CHECK_S = 1.0
"""Seconds between two checks of all open requests."""
READS = frozenset({"GET", "HEAD"})

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, eq=False)
class _Session:
    request: web.Request
    principal: Principal


class Sessions:
    """The reads in progress. Writes complete: they were allowed when they were accepted."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._open: set[_Session] = set()

    @contextmanager
    def during(self, request: web.Request, principal: Principal) -> Iterator[None]:
        """Hold a request in the block: it ends early if its principal becomes invalid."""
        if principal.is_anonymous or request.method not in READS:
            yield
            return
        session = _Session(request, principal)
        self._open.add(session)
        try:
            yield
        finally:
            self._open.discard(session)

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
