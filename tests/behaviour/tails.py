"""What the suites on both logs share: the beginning of a tail, and messages of others in the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing

from contracts.core.commit import Recorded
from contracts.runtime.log import Log

Inject = Callable[[str, bytes], Awaitable[int]]
"""Stores any message in the log, as somebody does who publishes on its subjects; gives its sequence."""


async def first(log: Log, count: int, *filters: str, after: int = 0) -> list[Recorded]:
    """The first `count` commits of a tail."""
    taken: list[Recorded] = []
    async with aclosing(log.tail(*filters, after=after)) as batches:
        async for batch in batches:
            taken += batch
            if len(taken) >= count:
                return taken
    raise AssertionError("a tail never ends")
