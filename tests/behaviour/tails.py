"""What the suites on both logs share: the beginning of a tail, and messages of others in the log."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Protocol

from contracts.core.commit import Recorded
from contracts.runtime.log import Log
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.publish import publish
from contracts.runtime.wire import PUBLISHED


class Inject(Protocol):
    """Stores any message in the log, as somebody does who publishes on its subjects; gives its sequence."""

    async def __call__(
        self, subject: str, payload: bytes, headers: Mapping[str, str] = PUBLISHED, /
    ) -> int: ...


def injecting(connection: Connection) -> Inject:
    """Inject into the log on NATS."""

    async def inject(subject: str, payload: bytes, headers: Mapping[str, str] = PUBLISHED, /) -> int:
        return await publish(connection, subject, payload, headers)

    return inject


async def first(log: Log, count: int, *filters: str, after: int = 0) -> list[Recorded]:
    """The first `count` commits of a tail."""
    taken: list[Recorded] = []
    async with aclosing(log.tail(*filters, after=after)) as batches:
        async for batch in batches:
            taken += batch
            if len(taken) >= count:
                return taken
    raise AssertionError("a tail never ends")
