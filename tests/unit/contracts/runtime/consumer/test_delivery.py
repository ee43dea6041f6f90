"""What becomes of a message, by how its handler ended."""

from __future__ import annotations

import asyncio
import math

import pytest

from contracts.core.commit import Undecodable
from contracts.core.outcome import Reject, Retry
from contracts.core.unread import Unread, UnreadHistory
from contracts.runtime.consumer.delivery import Again, DeliveryPolicy, Done, GiveUp, Verdict, verdict
from contracts.runtime.log import Conflict, Unavailable
from contracts.runtime.stream import Contended

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
        (Retry("429", after=7), 1, Again(7)),
        (Retry("for ages", after=1795416660596), 1, Again(3600)),
        (Retry("for ever", after=math.inf), 1, Again(0)),
        (Retry("before", after=-7), 1, Again(0)),
        (Retry("network"), 1, Again(1)),
        (Retry("network"), 2, Again(2)),
        (Retry("network"), LONG_AGO, Again(5)),
        (Retry("network"), 2_000, Again(5)),
        (Conflict(), LONG_AGO, Again(5)),
        (Contended(), LONG_AGO, Again(5)),
        (Unavailable(), LONG_AGO, Again(5)),
        (Reject("bad"), 1, GiveUp()),
        (Undecodable("bad"), 1, GiveUp()),
        (unread(newer=True), LONG_AGO, Again(5)),
        (unread(newer=False), 2, Again(2)),
        (unread(newer=False), 3, GiveUp()),
        (ValueError("bug"), 1, Again(1)),
        (ValueError("bug"), 2, Again(2)),
        (ValueError("bug"), 3, GiveUp()),
        (ValueError("bug"), LONG_AGO, GiveUp()),
        (asyncio.CancelledError(), LONG_AGO, Again(0)),
    ],
    ids=repr,
)
def test_the_end_of_a_handler_decides(error: BaseException | None, attempt: int, expected: Verdict) -> None:
    assert verdict(error, attempt, POLICY) == expected
