"""The limit of open streams of one gateway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.core.actors import ANONYMOUS
from contracts.runtime.log import Unavailable


class TooManyStreams(Unavailable):
    """The gateway has as many open streams as MAX_STREAMS allows, or one key or user has half of them."""


class StreamLimit:
    """Counts the open streams. One key or user gets half of them at most, so that others can watch, too."""

    def __init__(self, max_streams: int) -> None:
        self._max = max_streams
        self._max_each = (max_streams + 1) // 2
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """The number of open streams."""
        return self._open.total()

    @contextmanager
    def slot(self, actor: str) -> Iterator[None]:
        """Count one stream of `actor` until the end of the block.

        Raises:
            TooManyStreams: the limit is reached.
        """
        if self.open >= self._max:
            raise TooManyStreams(f"This gateway has {self._max} open streams, as many as MAX_STREAMS allows")
        if actor != ANONYMOUS and self._open[actor] >= self._max_each:
            raise TooManyStreams(f"{actor} has {self._max_each} open streams, half of MAX_STREAMS")
        self._open[actor] += 1
        try:
            yield
        finally:
            self._open[actor] -= 1
            if not self._open[actor]:
                del self._open[actor]
