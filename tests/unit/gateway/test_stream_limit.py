"""How many streams of events may be open at once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from contracts.core.actors import ANONYMOUS, of_key
from gateway.streams.limit import StreamLimit, TooManyStreams


def test_one_key_cannot_take_all_places_for_streams() -> None:
    limit = StreamLimit(4)
    with ExitStack() as open_streams:
        for _ in range(2):
            open_streams.enter_context(limit.slot(of_key("a")))
        with pytest.raises(TooManyStreams, match="half of MAX_STREAMS"):
            open_streams.enter_context(limit.slot(of_key("a")))
        open_streams.enter_context(limit.slot(of_key("b")))
    assert limit.open == 0
    with limit.slot(of_key("a")):
        assert limit.open == 1


def test_without_keys_all_places_can_be_taken() -> None:
    limit = StreamLimit(2)
    with limit.slot(ANONYMOUS), limit.slot(ANONYMOUS):
        with pytest.raises(TooManyStreams, match="as many as MAX_STREAMS allows"), limit.slot(ANONYMOUS):
            pass
        assert limit.open == 2
