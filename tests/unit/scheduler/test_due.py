"""Which ticks are due, which of them fires, and which are recorded as missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from contracts.domain.schedule.cron import Cron
from scheduler.due import COUNTED, LISTED, ON_TIME, Due, due

HOUR = timedelta(hours=1)
HOURLY = Cron.parse("@hourly")
EVERY_MINUTE = Cron.parse("* * * * *")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ahead(cron: Cron, after: str, now: str, catch_up: timedelta = HOUR) -> Due:
    found = due(cron, after=at(after), now=at(now), catch_up=catch_up)
    assert found is not None
    return found


def missed(found: Due) -> list[datetime]:
    return [one.tick for one in found.missed]


def test_before_the_next_tick_nothing_is_due() -> None:
    assert due(HOURLY, after=at("2026-01-01 12:00"), now=at("2026-01-01 12:59:59.999"), catch_up=HOUR) is None


def test_a_tick_is_due_from_its_very_moment_on() -> None:
    assert ahead(HOURLY, "2026-01-01 12:00", "2026-01-01 13:00").fires == at("2026-01-01 13:00")


def test_the_moment_a_schedule_was_set_is_not_a_tick_of_it() -> None:
    assert due(HOURLY, after=at("2026-01-01 13:00"), now=at("2026-01-01 13:00:30"), catch_up=HOUR) is None


def test_a_schedule_set_by_a_clock_ahead_of_ours_waits() -> None:
    assert due(HOURLY, after=at("2026-01-01 14:30"), now=at("2026-01-01 14:00"), catch_up=HOUR) is None


@pytest.mark.parametrize(
    ("now", "fires"),
    [
        ("2026-01-01 13:59:59", "2026-01-01 13:00"),
        ("2026-01-01 14:00:00", "2026-01-01 14:00"),
        ("2026-01-01 14:30:00", "2026-01-01 14:00"),
    ],
)
def test_after_an_outage_only_the_latest_tick_fires(now: str, fires: str) -> None:
    found = ahead(HOURLY, "2026-01-01 09:30", now)
    assert found.fires == found.latest == at(fires)
    assert missed(found) == [at(f"2026-01-01 {hour}:00") for hour in range(10, found.latest.hour)]
    assert found.first == at("2026-01-01 10:00")


def test_a_tick_exactly_as_late_as_allowed_fires() -> None:
    daily = Cron.parse("@daily")
    assert ahead(daily, "2026-01-01 12:00", "2026-01-02 01:00").fires == at("2026-01-02")


def test_a_tick_later_than_allowed_is_missed() -> None:
    found = ahead(Cron.parse("@daily"), "2026-01-01 12:00", "2026-01-02 01:00:00.001")
    assert found.fires is None
    assert missed(found) == [at("2026-01-02")]
    assert "more than 3600 s late" in found.missed[0].reason


@pytest.mark.parametrize(("late", "fires"), [(ON_TIME, True), (ON_TIME + timedelta.resolution, False)])
def test_without_catching_up_only_what_is_on_time_fires(late: timedelta, fires: bool) -> None:
    noon = at("2026-01-01 12:00")
    found = due(HOURLY, after=noon - timedelta(minutes=1), now=noon + late, catch_up=timedelta())
    assert found is not None
    assert (found.fires is not None) == fires


def test_one_record_stands_for_all_that_are_too_many_to_list() -> None:
    found = ahead(EVERY_MINUTE, "2026-01-01 00:00", "2026-01-01 05:00")
    *listed, rest = found.missed
    assert len(listed) == LISTED
    assert rest.tick == at("2026-01-01 04:59")
    assert "represents 199 ticks, from 2026-01-01T01:41:00+00:00 to this one" in rest.reason
    assert found.fires == at("2026-01-01 05:00")


def test_a_record_does_not_stand_for_one_other_only() -> None:
    found = ahead(EVERY_MINUTE, "2026-01-01 00:00", "2026-01-01 01:42")
    assert len(found.missed) == LISTED + 1
    assert {one.reason for one in found.missed} == {"a later tick was due before this one was decided"}


def test_a_year_asleep_is_decided_without_counting_every_second() -> None:
    found = ahead(Cron.parse("* * * * * *"), "2025-01-01 00:00", "2026-01-01 00:00")
    assert len(found.missed) == LISTED + 1
    assert f"more than {COUNTED - LISTED} ticks" in found.missed[-1].reason
    assert found.missed[-1].tick == at("2025-12-31 23:59:59")


ZONES = ("UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe")
EXPRESSIONS = ("* * * * *", "*/20 * * * *", "30 2 * * *", "15 1,2,3 * * SUN", "0 0 1 * *", "59 59 23 * * *")
CHANGES = [
    datetime(2026, 3, 8, 7, tzinfo=UTC),  # New York, spring
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # Paris, spring
    datetime(2026, 4, 4, 15, tzinfo=UTC),  # Lord Howe, autumn
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord Howe, spring
    datetime(2026, 10, 25, 1, tzinfo=UTC),  # Paris, autumn
    datetime(2026, 11, 1, 6, tzinfo=UTC),  # New York, autumn
]
crons = st.builds(Cron.parse, st.sampled_from(EXPRESSIONS), st.sampled_from(ZONES))
moments = st.builds(
    lambda change, minutes: change + timedelta(minutes=minutes),
    st.sampled_from(CHANGES),
    st.floats(-200, 100),
)


@for_all(crons, moments, st.floats(0, 4), st.integers(0, 7200))
def test_every_tick_comes_out_once_in_order(
    cron: Cron, after: datetime, hours: float, catch_up_s: int
) -> None:
    """What is missed and what fires are together what the expression names, also when clocks change."""
    now = after + timedelta(hours=hours)
    expected = cron.ticks(after, now, 100_000)
    found = due(cron, after=after, now=now, catch_up=timedelta(seconds=catch_up_s))
    if found is None:
        assert expected == []
        return
    decided = [*missed(found), *([found.fires] if found.fires else [])]
    assert (found.first, found.latest) == (expected[0], expected[-1]) == (decided[0], decided[-1])
    listed = min(len(decided), LISTED)
    assert decided[:listed] == expected[:listed]
    assert len(decided) == len(expected) or len(decided) <= LISTED + 2


@pytest.mark.parametrize(
    ("zone", "day", "fires"),
    [
        ("Europe/Paris", "2026-03-29", "2026-03-29 01:00"),
        ("Europe/Paris", "2026-10-25", "2026-10-25 00:30"),
        ("America/New_York", "2026-03-08", "2026-03-08 07:00"),
        ("America/New_York", "2026-11-01", "2026-11-01 07:30"),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03 15:30"),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04 16:00"),
    ],
)
def test_half_past_two_fires_once_on_the_day_the_clocks_change(zone: str, day: str, fires: str) -> None:
    """In spring at the first instant after the gap; as a scheduler that is awake all day sees it."""
    cron = Cron.parse("30 2 * * *", zone)
    decided = at(f"{day} 00:00") - timedelta(hours=14)
    fired = []
    for tens in range(25 * 6):
        now = at(f"{day} 00:00") - timedelta(hours=11) + timedelta(minutes=10 * tens)
        if found := due(cron, after=decided, now=now, catch_up=timedelta()):
            fired.append(found.fires)
            decided = found.latest
    assert fired == [at(fires)]
