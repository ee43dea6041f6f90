"""The limit of open streams of one gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from contracts.runtime.log import Unavailable


class TooManyStreams(Unavailable):
    """The gateway has as many open streams as MAX_STREAMS allows."""


class StreamLimit:
    """Counts the open streams."""

    def __init__(self, max_streams: int) -> None:
        self._max = max_streams
        self._open = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Count one stream until the end of the block.

        Raises:
            TooManyStreams: the limit is reached.
        """
        if self._open >= self._max:
            raise TooManyStreams(f"This gateway has {self._max} open streams, as many as MAX_STREAMS allows")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
