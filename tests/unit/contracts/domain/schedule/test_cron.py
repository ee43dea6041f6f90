"""Which instants a cron expression names, above all when clocks change."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.core.timezones import InvalidTimezone
from contracts.domain.schedule.cron import Cron
from contracts.domain.schedule.description import describe
from contracts.domain.schedule.expression import InvalidCron, require_steps_within

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

CHANGES = {
    "Europe/Paris": (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)),
    "America/New_York": (datetime(2026, 3, 7, 12, tzinfo=UTC), datetime(2026, 10, 31, 12, tzinfo=UTC)),
    "Australia/Lord_Howe": (datetime(2026, 10, 3, 6, tzinfo=UTC), datetime(2026, 4, 4, 6, tzinfo=UTC)),
}
"""Zone → half a day or so before its spring and its autumn change."""


def local_ticks(expression: str, zone: str, start: datetime, days: int = 3) -> list[str]:
    ticks = Cron.parse(expression, zone).ticks(start, start + timedelta(days=days), limit=500)
    return [tick.astimezone(ZoneInfo(zone)).strftime("%d %H:%M %z") for tick in ticks]


@cache
def clock(zone: str, start: datetime, days: int = 2) -> list[tuple[datetime, datetime]]:
    """What the clock on the wall shows at each minute of a window."""
    minutes = (start + n * MINUTE for n in range(1, days * 1440 + 1))
    return [(instant, instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)) for instant in minutes]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 9 * * *", datetime(2026, 6, 16, 9, tzinfo=UTC)),
        ("*/5 * * * *", datetime(2026, 6, 15, 12, 5, tzinfo=UTC)),
        ("30 0 12 * * *", datetime(2026, 6, 15, 12, 0, 30, tzinfo=UTC)),
        ("0 0 9 * * MON-FRI", datetime(2026, 6, 16, 9, tzinfo=UTC)),
        ("0 9 1 JAN *", datetime(2027, 1, 1, 9, tzinfo=UTC)),
        ("0 9 1 JANUARY *", datetime(2027, 1, 1, 9, tzinfo=UTC)),
        ("0 9 * august Monday", datetime(2026, 8, 3, 9, tzinfo=UTC)),
        ("0 9 * * Saturday-SUN", datetime(2026, 6, 20, 9, tzinfo=UTC)),
        ("0 9 * * 5L", datetime(2026, 6, 26, 9, tzinfo=UTC)),
        ("0 9 * * FRIL", datetime(2026, 6, 26, 9, tzinfo=UTC)),
        ("0 9 * * Lfri", datetime(2026, 6, 26, 9, tzinfo=UTC)),
        ("0 9 * * L5", datetime(2026, 6, 26, 9, tzinfo=UTC)),
        ("0 22-2 * * *", datetime(2026, 6, 15, 22, tzinfo=UTC)),
        ("0 9 L * *", datetime(2026, 6, 30, 9, tzinfo=UTC)),
        ("0 9 * * 1#2", datetime(2026, 7, 13, 9, tzinfo=UTC)),
        ("0 9 ? * sun", datetime(2026, 6, 21, 9, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        (" @Daily ", datetime(2026, 6, 16, tzinfo=UTC)),
        ("@yearly", datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_next_tick_is_the_first_instant_named_after_now(expression: str, expected: datetime) -> None:
    assert Cron.parse(expression).next_after(NOON) == expected


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 9 1 * 5L", [26, 1, 31, 1]),  # the 1st, or the last Friday
        ("0 0 15 * 1#1", [6, 15, 3, 15]),  # the 15th, or the first Monday
        ("0 0 8-9 * 0#2", [8, 9, 12, 8]),  # the 8th, the 9th, or the second Sunday
        ("0 0 1W * 5", [19, 26, 1, 3]),  # the weekday nearest to the 1st, or a Friday
        ("0 0 L * 1#1", [30, 6, 31, 3]),
        ("0 0 L,15 * *", [30, 15, 31, 15]),
        ("0 0 * * 1#1,3#2", [6, 8, 3, 12]),
        ("0 0 * * 1,5L", [22, 26, 29, 6]),
    ],
)
def test_if_both_day_fields_are_given_a_day_that_fits_either_is_due(expression: str, days: list[int]) -> None:
    assert [tick.day for tick in Cron.parse(expression).ticks(NOON, NOON + timedelta(days=3650), 4)] == days


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ("*/90 * * * *", "*/90"),
        ("0 */36 * * *", "*/36"),
        ("0 0 */31 * *", "*/31"),
        ("0 0 1 */12 *", "*/12"),
        ("0 0 * * */7", "*/7"),
        ("*/60 * * * * *", "*/60"),
        ("0 9-17/10 * * *", "9-17/10"),
        ("50/20 * * * *", "50/20"),
        ("0,*/70 * * * *", "*/70"),
    ],
)
def test_a_step_that_is_longer_than_its_range_is_refused_with_the_range(expression: str, part: str) -> None:
    with pytest.raises(InvalidCron, match=re.escape(f"'{part}' in '{expression}' takes a step longer")):
        require_steps_within(expression)


@pytest.mark.parametrize(
    "expression", ["*/59 * * * *", "0 */12 * * *", "0 9-17/8 * * *", "5/20 * * * *", "@daily"]
)
def test_a_step_that_can_be_taken_is_not_refused(expression: str) -> None:
    require_steps_within(expression)


def test_a_tick_at_this_very_instant_is_not_the_next_one() -> None:
    assert Cron.parse("0 12 * * *").next_after(NOON) == NOON + timedelta(days=1)


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "0 fields"),
        ("* * *", "3 fields"),
        ("* * * * * * *", "7 fields"),
        ("61 * * * *", "'61' in '61 \\* \\* \\* \\*' is not a valid minute"),
        ("0 61 * * * *", "is not a valid minute"),
        ("0 24 * * *", "is not a valid hour"),
        ("0 0 0 * *", "is not a valid day of month"),
        ("0 0 * FOO *", "is not a valid month"),
        ("0 0 * * MON#9", "is not a valid day of week"),
        ("r * * * *", "is not a valid minute"),
        ("h h * * *", "is not a valid minute"),
        ("@reboot", "'@reboot' is not one of these words: @yearly, "),
        ("@weekdays", "@hourly"),
        ("0 0 * MONDAY *", "'monday' in '0 0 \\* MONDAY \\*' is not a valid month"),
        ("0 0 * * L", "5L the last"),
        ("0 22-3/3 * * *", "'22-3/3' in '0 22-3/3 \\* \\* \\*' steps over the end of its range"),
        ("0 0 * * FRI-MON/2", "steps over the end"),
        ("\x00 * * * *", "is not a valid minute"),
        ("\ud800 * * * *", "is not a valid minute"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("1," * 500 + "1 * * * *", "at most 256 characters"),
    ],
)
def test_an_expression_that_names_no_instant_is_refused_with_the_reason(
    expression: str, complaint: str
) -> None:
    with pytest.raises(InvalidCron, match=complaint):
        Cron.parse(expression)


@given(st.text(max_size=40) | st.text("0123456789*/-,LW#? MONJA@", max_size=30))
def test_any_text_is_either_a_schedule_or_refused(text: str) -> None:
    try:
        cron = Cron.parse(text)
    except InvalidCron:
        return
    assert cron.next_after(NOON) > NOON


@pytest.mark.parametrize(
    "name",
    [
        "",
        "localtime",
        "posixrules",
        "Factory",
        "right/UTC",
        "Paris",
        "Europe",
        "../etc/passwd",
        "a\x00b",
        "\ud800",
        "x" * 5000,
    ],
)
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidTimezone, match=r"is not a time zone; (use an IANA name|did you mean)"):
        Cron.parse("* * * * *", name)


@pytest.mark.parametrize("name", ["Europe/Pariss", "Europe/Paris ", "europe-paris", "Europa/Paris"])
def test_a_misspelled_time_zone_is_named_with_the_one_that_is_meant(name: str) -> None:
    with pytest.raises(InvalidTimezone, match=r"did you mean 'Europe/Paris'\?"):
        Cron.parse("* * * * *", name)


@pytest.mark.parametrize("name", ["Europe/Paris", "europe/paris", "EUROPE/PARIS"])
def test_a_time_zone_is_known_in_any_capitals_and_keeps_its_own(name: str) -> None:
    assert Cron.parse("* * * * *", name).timezone == "Europe/Paris"


def test_the_repeated_half_past_two_of_autumn_fires_once_at_its_first_occurrence() -> None:
    assert local_ticks("30 2 * * *", "Europe/Paris", datetime(2026, 10, 24, 12, tzinfo=UTC)) == [
        "25 02:30 +0200",
        "26 02:30 +0100",
        "27 02:30 +0100",
    ]


def test_the_skipped_half_past_two_of_spring_fires_at_the_end_of_the_gap() -> None:
    assert local_ticks("15,30,45 2 * * *", "Europe/Paris", datetime(2026, 3, 28, 12, tzinfo=UTC), days=1) == [
        "29 03:00 +0200",
    ]


def test_a_shift_of_half_an_hour_skips_and_repeats_half_an_hour() -> None:
    spring, autumn = CHANGES["Australia/Lord_Howe"]
    assert local_ticks("15 2 * * *", "Australia/Lord_Howe", spring, days=1) == ["04 02:30 +1100"]
    assert local_ticks("45 1 * * *", "Australia/Lord_Howe", autumn, days=1) == ["05 01:45 +1100"]


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("season", [0, 1], ids=["spring", "autumn"])
def test_every_half_hour_stays_every_half_hour_through_a_change(zone: str, season: int) -> None:
    start = CHANGES[zone][season]
    ticks = Cron.parse("*/30 * * * *", zone).ticks(start, start + timedelta(days=1), limit=100)
    assert {later - earlier for earlier, later in pairwise(ticks)} == {timedelta(minutes=30)}
    assert len(ticks) == 48


def test_a_day_that_a_zone_skips_fires_when_the_next_begins() -> None:
    """Samoa went from 29 to 31 December 2011."""
    start = datetime(2011, 12, 29, 12, tzinfo=UTC)
    assert local_ticks("0 9 * * *", "Pacific/Apia", start, days=2) == [
        "29 09:00 -1000",
        "31 00:00 +1400",
        "31 09:00 +1400",
    ]


def test_both_occurrences_of_a_repeated_midnight_hour_are_found_from_a_year_before() -> None:
    """In Havana the hour after midnight comes twice, so an hourly expression fires twice in it."""
    start = datetime(2026, 1, 15, tzinfo=UTC)
    ticks = Cron.parse("30 * 1 11 *", "America/Havana").ticks(start, start + timedelta(days=330), limit=2)
    assert ticks == [datetime(2026, 11, 1, 4, 30, tzinfo=UTC), datetime(2026, 11, 1, 5, 30, tzinfo=UTC)]


minutes_of_an_hour = st.sets(st.integers(0, 59), min_size=1, max_size=4)
hours_of_a_night = st.sets(st.integers(0, 4), min_size=1, max_size=3)
windows = st.sampled_from([(zone, start) for zone, starts in CHANGES.items() for start in starts])


def listed(values: set[int]) -> str:
    return ",".join(map(str, sorted(values)))


@given(minutes_of_an_hour, hours_of_a_night, windows)
def test_named_hours_fire_when_the_clock_first_shows_them_or_has_passed_them(
    minutes: set[int], hours: set[int], window: tuple[str, datetime]
) -> None:
    zone, start = window
    shown = clock(zone, start)
    first = shown[0][1]
    named = [
        wall
        for wall in (first + n * MINUTE for n in range(1440))
        if wall.minute in minutes and wall.hour in hours
    ]
    expected = sorted(
        {next(instant for instant, clock_time in shown if clock_time >= wall) for wall in named}
    )
    until = next(instant for instant, clock_time in shown if clock_time >= first + timedelta(days=1)) - MINUTE
    cron = Cron.parse(f"{listed(minutes)} {listed(hours)} * * *", zone)
    assert cron.ticks(start, until, limit=1000) == expected


@given(minutes_of_an_hour, windows)
def test_every_hour_fires_whenever_the_clock_shows_it(
    minutes: set[int], window: tuple[str, datetime]
) -> None:
    zone, start = window
    expected = [instant for instant, wall in clock(zone, start) if wall.minute in minutes]
    cron = Cron.parse(f"{listed(minutes)} * * * *", zone)
    assert cron.ticks(start, start + timedelta(days=2), limit=10_000) == expected


EXPRESSIONS = ["30 2 * * *", "*/20 * * * *", "0 0 29 2 *", "*/7 1-3 * * *", "0 9 * * 1#2", "*/10 * 2 * * *"]


@given(
    st.sampled_from(EXPRESSIONS),
    st.sampled_from(list(CHANGES)),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_the_latest_tick_before_an_instant_is_the_one_after_which_the_next_is_not_before_it(
    expression: str, zone: str, instant: datetime
) -> None:
    cron = Cron.parse(expression, zone)
    latest = cron.latest_before(instant)
    assert latest < instant <= cron.next_after(latest)
    assert cron.next_after(latest - timedelta(seconds=1)) == latest


def test_the_second_hour_of_a_fold_is_left_at_once_by_an_expression_of_seconds() -> None:
    cron = Cron.parse("* * 2 * * *", "Europe/Paris")
    second_two_o_clock = datetime(2026, 10, 25, 1, 0, 0, tzinfo=UTC)
    assert cron.latest_before(second_two_o_clock) == second_two_o_clock - timedelta(seconds=1)
    assert cron.next_after(second_two_o_clock) == datetime(2026, 10, 26, 1, tzinfo=UTC)


def test_ticks_end_at_the_limit_and_include_the_end_of_the_window_only() -> None:
    cron = Cron.parse("0 * * * *")
    assert cron.ticks(NOON, NOON + timedelta(hours=2), limit=9) == [
        NOON + timedelta(hours=1),
        NOON + timedelta(hours=2),
    ]
    assert cron.ticks(NOON, NOON + timedelta(days=9), limit=1) == [NOON + timedelta(hours=1)]


@pytest.mark.parametrize(
    ("expression", "english"),
    [
        ("0 9 * * *", "At 09:00 AM"),
        ("* * * * *", "Every minute"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("0 30 9 * * MON-FRI", "At 09:30 AM, Monday through Friday"),
        ("0 0 9 ? * MON", "At 09:00 AM, only on Monday"),
        ("@daily", "At 12:00 AM"),
        ("0 9 * * 1#1", "At 09:00 AM, on the first Monday of the month"),
        ("0 9 L * *", "At 09:00 AM, on the last day of the month"),
        ("0 9 1 * 5", "At 09:00 AM, on day 1 of the month, or on Friday"),
        ("0 9 * * 1#1,3#2", "0 9 * * 1#1,3#2"),
        ("0 9 L,15 * *", "0 9 L,15 * *"),
        (" 0 9 1 * 5L ", "0 9 1 * 5L"),
        ("*/90 * * * *", "*/90 * * * *"),
        ("*/45 * * * *", "At 0 and 45 minutes past the hour"),
        ("0 */10 * * *", "At 12:00 AM, 10:00 AM and 08:00 PM"),
        ("0 9 */10 * *", "At 09:00 AM, on day 1, 11, 21, and 31 of the month"),
        ("0 9 1 */5 *", "At 09:00 AM, on day 1 of the month, only in January, June, and November"),
        ("0 0 * * */2", "At 12:00 AM, only on Sunday, Tuesday, Thursday, and Saturday"),
        ("0 9 * * 0,7,sun", "At 09:00 AM, only on Sunday"),
        ("0 */6 * * *", "Every 6 hours"),
        ("99 99 * * *", "Invalid schedule"),
        ("", "Invalid schedule"),
        ("nonsense", "Invalid schedule"),
    ],
)
def test_a_schedule_reads_in_english(expression: str, english: str) -> None:
    assert describe(expression) == english
