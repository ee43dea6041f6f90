"""A wait ends at its time, whatever happens to the wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from executor import waits
from executor.waits import Waits

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Clocks:
    """A wall clock that can be set, and a monotonic one that cannot."""

    def __init__(self) -> None:
        self.wall = NOON
        self.elapsed = 100.0

    def pass_(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.elapsed += seconds

    def waits(self, longest_s: float = 3600.0) -> Waits:
        return Waits(longest_s, lambda: self.wall, lambda: self.elapsed)


def in_s(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_wait_lasts_until_its_time() -> None:
    clocks = Clocks()
    its = clocks.waits()
    left = []
    for _ in range(4):
        left.append(its.seconds_left("001", in_s(2)))
        clocks.pass_(0.8)
    assert left == pytest.approx([2.0, 1.2, 0.4, 0.0])


def test_a_clock_that_is_set_back_does_not_prolong_a_wait() -> None:
    clocks = Clocks()
    its = clocks.waits()
    assert its.seconds_left("001", in_s(2)) == 2
    clocks.wall -= DAY
    clocks.pass_(0.5)
    assert its.seconds_left("001", in_s(2)) == 1.5
    clocks.pass_(1.5)
    assert its.seconds_left("001", in_s(2)) == 0


def test_each_retry_of_a_step_is_a_wait_of_its_own() -> None:
    clocks = Clocks()
    its = clocks.waits()
    its.seconds_left("001", in_s(2))
    clocks.pass_(2)
    assert its.seconds_left("001", in_s(6)) == 4


def test_a_time_of_another_clock_is_waited_for_no_longer_than_the_longest_wait() -> None:
    """The clock was set back before this process read the time, or another host's clock is ahead."""
    clocks = Clocks()
    its = clocks.waits(longest_s=60)
    assert its.seconds_left("001", NOON + DAY) == 60
    clocks.pass_(60)
    assert its.seconds_left("001", NOON + DAY) == 0


def test_a_clock_that_is_set_forward_ends_a_wait() -> None:
    clocks = Clocks()
    its = clocks.waits()
    its.seconds_left("001", in_s(2))
    clocks.wall += DAY
    assert its.seconds_left("001", in_s(2)) == 0


def test_only_so_many_waits_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "REMEMBERED", 2)
    its = Clocks().waits()
    for step in ("001", "002", "003"):
        its.seconds_left(step, in_s(2))
    assert [step for step, _ in its._ends] == ["002", "003"]
