"""How long we wait before another try, whatever the other side says."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from contracts.core.waiting import LONGEST_S, bounded, doubled, retry_after

NOW = datetime(2026, 11, 23, 6, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("Mon, 23 Nov 2026 06:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 05:00:00 GMT", 0.0),
        ("1795416660596", LONGEST_S),
        ("9" * 400, 0.0),
        ("Mon, 23 Nov 2099 06:00:30 GMT", LONGEST_S),
        ("Mon, 23 Nov 2026 06:00:30 +99999999999999999999", None),
        ("soon", None),
        ("-3", None),
        ("inf", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_reason(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize("asked", [None, math.inf, -math.inf, math.nan, -1.0])
def test_an_invalid_retry_after_is_ignored(asked: float | None) -> None:
    assert bounded(asked) == 0.0


def test_a_requested_wait_is_bounded() -> None:
    assert bounded(90.0, 60.0) == 60.0
    assert bounded(30.0, 60.0) == 30.0


def test_a_wait_doubles_up_to_its_limit_however_often() -> None:
    assert [doubled(1.0, times, 60.0) for times in (0, 1, 3, 10, 5_000)] == [1.0, 2.0, 8.0, 60.0, 60.0]
