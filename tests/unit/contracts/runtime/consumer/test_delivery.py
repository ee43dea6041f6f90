"""What becomes of a message, by how its handler ended."""

from __future__ import annotations

import asyncio
import math

import pytest

from contracts.core.codec import Undecodable
from contracts.core.outcome import Reject, Retry
from contracts.core.unread import Unread, UnreadHistory
from contracts.runtime.consumer.delivery import DeliveryPolicy, Done, Park, Redeliver, Settlement, verdict
from contracts.runtime.log import Conflict, Unavailable
from contracts.runtime.stream import TooManyConflicts

POLICY = DeliveryPolicy(max_deliver=3, backoff_s=1, longest_backoff_s=5)
LONG_AGO = 100
"""Deliveries, far over `max_deliver`."""


def unread(*, newer: bool) -> UnreadHistory:
    """A newer service can read it; a lost value stays lost until it is restored."""
    return UnreadHistory(Unread(type="a.b", dataschema="/schemas/a.b/2", data={}, reason="so", newer=newer))


@pytest.mark.parametrize(
    ("error", "attempt", "expected"),
    [
        (None, 1, Done()),
        (None, LONG_AGO, Done()),
        (Retry("429", after=7), 1, Redeliver(7)),
        (Retry("for ages", after=1795416660596), 1, Redeliver(3600)),
        (Retry("for ever", after=math.inf), 1, Redeliver(0)),
        (Retry("before", after=-7), 1, Redeliver(0)),
        (Retry("network"), 1, Redeliver(1)),
        (Retry("network"), 2, Redeliver(2)),
        (Retry("network"), LONG_AGO, Redeliver(5)),
        (Retry("network"), 2_000, Redeliver(5)),
        (Conflict(), LONG_AGO, Redeliver(5)),
        (TooManyConflicts(), LONG_AGO, Redeliver(5)),
        (Unavailable(), LONG_AGO, Redeliver(5)),
        (Reject("bad"), 1, Park()),
        (Undecodable("bad"), 1, Park()),
        (unread(newer=True), LONG_AGO, Redeliver(5)),
        (unread(newer=False), 2, Redeliver(2)),
        (unread(newer=False), 3, Park()),
        (ValueError("bug"), 1, Redeliver(1)),
        (ValueError("bug"), 2, Redeliver(2)),
        (ValueError("bug"), 3, Park()),
        (ValueError("bug"), LONG_AGO, Park()),
        (asyncio.CancelledError(), LONG_AGO, Redeliver(0)),
    ],
    ids=repr,
)
def test_the_end_of_a_handler_decides(
    error: BaseException | None, attempt: int, expected: Settlement
) -> None:
    assert verdict(error, attempt, POLICY) == expected
