"""The shared budget: what a call needs room for, what counts as spent, and what is warned about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.core.event import Event
from contracts.core.money import pico_usd, usd_text
from contracts.core.spent import Estimate
from contracts.domain import shared_budget
from contracts.domain.shared_budget import (
    BUDGET,
    EXPIRES_AFTER,
    UNLIMITED,
    Call,
    LimitReached,
    Limits,
    PeriodBudget,
    Reserved,
    Settled,
    State,
    Warned,
    month_of,
    reserve,
    settle,
)

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
TODAY = NOON.date()
MOMENT = timedelta(seconds=1)
DAY = timedelta(days=1)


def limits(day: Any = None, month: Any = None, *, key: str | None = None, of_key: Any = None) -> Limits:
    """Limits of the system, and `of_key` per day for the key called `key`."""
    system = PeriodBudget(usd_per_day=day, usd_per_month=month)
    return Limits(key, system, PeriodBudget(usd_per_day=of_key) if of_key is not None else UNLIMITED)


def call(id_: str, usd: str | None = "1", by: str = "") -> Call:
    """A call of a model, by default for a purpose of its own."""
    return Call(id_, by or f"run_1/{id_}", Estimate(10, None if usd is None else pico_usd(usd), "m"))


def reserved(id_: str, usd: str = "1", key: str | None = None, at: datetime = NOON, by: str = "") -> Reserved:
    return Reserved(call=id_, by=by or f"run_1/{id_}", usd=usd, key=key, day=at.date(), at=at)


def settled(id_: str, usd: str = "1", *, key: str | None = None, by: str = "", **more: Any) -> Settled:
    return Settled(**{"call": id_, "by": by or f"run_1/{id_}", "usd": usd, "key": key, "day": TODAY, **more})


def spent(usd: str, key: str | None = None, at: datetime = NOON) -> list[Event]:
    """One call that has cost `usd`."""
    return [reserved("past", usd, key, at), settled("past", usd, key=key, day=at.date())]


def after(*events: Event) -> State:
    return BUDGET.fold(events)


def refused(state: State, wanted: Call, allowed: Limits, now: datetime = NOON) -> LimitReached:
    with pytest.raises(LimitReached) as refusal:
        reserve(state, wanted, allowed, now)
    return refusal.value


# ── reserving ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_that_fits_reserves_the_most_that_it_may_cost() -> None:
    assert reserve(State(), call("c", "1"), limits(day=1), NOON) == [reserved("c", "1")]


def test_a_call_is_reserved_once() -> None:
    assert reserve(after(reserved("c")), call("c"), limits(day=9), NOON) == []


@pytest.mark.parametrize(
    ("allowed", "named"),
    [
        (limits(day="1.5"), "system/day"),
        (limits(month="1.5"), "system/month"),
        (limits(key="ci", of_key="1.5"), "key:ci/day"),
        (limits(day="1.5", month="1.5"), "system/month"),
        (limits(day="1.5", key="ci", of_key="1.5"), "system/day"),
    ],
)
def test_a_call_that_could_exceed_a_limit_is_refused_by_the_limit_that_ends_last(
    allowed: Limits, named: str
) -> None:
    refusal = refused(after(*spent("1", key="ci")), call("c", "1"), allowed)
    assert refusal.reached.name == named


def test_calls_in_progress_count_at_the_most_that_they_may_cost() -> None:
    refusal = refused(after(reserved("a"), reserved("b")), call("c"), limits(day="2.5"))
    assert (refusal.reached.spent, refusal.reached.reserved) == (0, pico_usd("2"))
    assert "0 of 2.5 US dollars per day are spent, 2 are reserved for calls in progress" in str(refusal)


def test_a_key_pays_only_for_its_own_calls() -> None:
    state = after(*spent("1", key="other"), reserved("o", "1", key="other"))
    assert reserve(state, call("c"), limits(key="ci", of_key=1), NOON) == [reserved("c", key="ci")]


def test_a_day_ends_at_midnight_in_utc_and_a_month_with_its_last_day() -> None:
    state = after(*spent("1"))
    assert reserve(state, call("c"), limits(day=1), NOON + DAY)
    assert refused(state, call("c"), limits(month=1), NOON + DAY).reached.until == datetime(
        2026, 12, 1, tzinfo=UTC
    )
    zone = datetime.fromisoformat("2026-12-01T00:30:00+01:00")
    assert (month_of(zone), shared_budget.today(State(), zone)) == ("2026-11", date(2026, 11, 30))


def test_the_cost_of_a_call_counts_on_the_day_of_the_call() -> None:
    before_midnight = datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC)
    state = after(reserved("c", at=before_midnight))
    settle_ = settle(state, "c", pico_usd("1"), limits(), before_midnight + DAY)
    state = BUDGET.fold(settle_, state)
    assert state.spent(None, "day", TODAY) == pico_usd("1")
    assert state.spent(None, "day", TODAY + DAY) == 0
    assert state.spent(None, "month", TODAY + DAY) == pico_usd("1")


def test_a_cost_of_yesterday_does_not_count_today() -> None:
    state = after(reserved("old", at=NOON - DAY), *spent("2"), settled("old", day=TODAY - DAY))
    assert state.spent(None, "day", TODAY) == pico_usd("2")
    assert state.spent(None, "month", TODAY) == pico_usd("3")


def test_a_day_does_not_come_back_when_a_clock_is_behind() -> None:
    state = after(*spent("1", at=NOON + DAY))
    assert refused(state, call("c"), limits(day=1), NOON).reached.spent == pico_usd("1")


def test_a_model_whose_price_is_not_known_is_refused() -> None:
    refusal = refused(State(), call("c", None), limits(day=1))
    assert "the price of the model m is not known" in str(refusal)
    assert refusal.then("resume the run").endswith("; set BUDGET_UNPRICED=allow, then resume the run")


@pytest.mark.parametrize(
    ("allowed", "advice"),
    [
        (
            limits(day=1),
            "; wait until 2026-11-30 00:00 UTC, or raise BUDGET_USD_PER_DAY, then resume the run",
        ),
        (limits(month=1), "; wait until 2026-12-01 00:00 UTC, or raise BUDGET_USD_PER_MONTH, then"),
        (limits(key="ci", of_key=1), "(async-agent keys budget ci --usd-per-day"),
    ],
)
def test_a_refusal_says_when_the_period_ends_and_what_to_raise(allowed: Limits, advice: str) -> None:
    assert advice in refused(after(*spent("1", key="ci")), call("c"), allowed).then("resume the run")


def test_nobody_is_told_to_wait_for_a_call_that_needs_more_than_the_whole_limit() -> None:
    assert "wait" not in refused(State(), call("c", "2"), limits(day=1)).then("resume the run")


# ── settling ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cost_of_a_call_replaces_its_reservation() -> None:
    state = after(
        reserved("c", "1", key="ci"),
        *settle(after(reserved("c", "1", key="ci")), "c", pico_usd("0.25"), limits(), NOON),
    )
    assert (state.open, state.spent(None, "day", TODAY)) == ({}, pico_usd("0.25"))
    assert state.spent("ci", "month", TODAY) == pico_usd("0.25")


def test_a_call_is_settled_once() -> None:
    state = after(*spent("1"))
    assert settle(state, "past", pico_usd("1"), limits(), NOON) == []
    assert settle(state, "unknown", pico_usd("1"), limits(), NOON) == []


def test_a_call_whose_outcome_is_unknown_counts_at_its_reservation() -> None:
    (event,) = settle(after(reserved("c", "0.5")), "c", None, limits(), NOON)
    assert event == settled("c", "0.5", is_estimate=True)


def test_a_step_that_is_attempted_again_settles_the_call_that_a_crash_has_left() -> None:
    state = after(reserved("c1", by="run_1/001"), reserved("c2", by="run_1/002"))
    events = reserve(state, call("c3", by="run_1/001"), limits(day=3), NOON + MOMENT)
    assert events[0] == settled("c1", by="run_1/001", is_estimate=True)
    assert set(BUDGET.fold(events, state).open) == {"c2", "c3"}


def test_a_reservation_that_nobody_settles_counts_as_spent_after_an_hour() -> None:
    state = after(reserved("c1"))
    assert len(reserve(state, call("c2"), limits(day=9), NOON + EXPIRES_AFTER - MOMENT)) == 1
    events = reserve(state, call("c2"), limits(day=9), NOON + EXPIRES_AFTER)
    assert events[0] == settled("c1", is_estimate=True)


# ── warnings ────────────────────────────────────────────────────────────────────────────────────────────


def warnings(state: State, usd: str, allowed: Limits, now: datetime = NOON) -> tuple[State, list[Warned]]:
    """The state after one more call that costs `usd`, and its warnings."""
    key = allowed.key_name
    state = BUDGET.fold([reserved("w", usd, key, now)], state)
    events = settle(state, "w", pico_usd(usd), allowed, now)
    return BUDGET.fold(events, state), [event for event in events if isinstance(event, Warned)]


def test_each_limit_is_warned_about_once_when_four_fifths_are_spent() -> None:
    allowed = limits(day=10, month=100, key="ci", of_key=20)
    state, none = warnings(State(), "7", allowed)
    state, (warned,) = warnings(state, "1", allowed)
    assert not none
    assert warned == Warned(period="day", day=TODAY, allowed="10", spent="8")
    state, again = warnings(state, "1", allowed)
    assert not again
    _, of_key = warnings(state, "7", allowed)
    assert [(one.key, one.period) for one in of_key] == [("ci", "day")]


def test_the_next_day_is_warned_about_again_and_so_is_another_limit() -> None:
    state, first = warnings(State(), "8", limits(day=10, month=10))
    assert [one.period for one in first] == ["month", "day"]
    state, raised = warnings(state, "1", limits(day=11, month=10))
    assert [(one.period, one.allowed) for one in raised] == [("day", "11")]
    _, tomorrow = warnings(state, "9", limits(day=11, month=10), NOON + DAY)
    assert [one.period for one in tomorrow] == ["day"]


# ── the limit holds ─────────────────────────────────────────────────────────────────────────────────────

KEYS = ("a", "b", None)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("reserve", "settle", "lose")),
        st.integers(0, 5),  # which call
        st.integers(0, 40),  # cents
        st.sampled_from(KEYS),
        st.integers(0, 7000),  # seconds later
    ),
    max_size=60,
)
ALLOWED = {None: PeriodBudget(usd_per_day="1", usd_per_month="1.5"), "a": PeriodBudget(usd_per_day="0.5")}


def limits_of(key: str | None) -> Limits:
    return Limits(key, ALLOWED[None], ALLOWED.get(key, UNLIMITED) if key else UNLIMITED)


def happen(
    state: State, step: tuple[str, int, int, str | None, int], number: int, now: datetime
) -> Sequence[Event]:
    """What one process decides. Calls cost at most what they have reserved."""
    what, which, cents, key, _ = step
    if what == "reserve":
        wanted = Call(f"c{number}", f"run/{which}", Estimate(1, cents * 10**10))
        try:
            return reserve(state, wanted, limits_of(key), now)
        except LimitReached:
            return []
    if not state.open:
        return []
    id_, one = sorted(state.open.items())[which % len(state.open)]
    cost = None if what == "lose" else min(one.amount, cents * 10**10)
    return settle(state, id_, cost, limits_of(one.key), now)


@given(STEPS)
def test_the_sum_of_spent_and_reserved_never_exceeds_a_limit(steps: list[Any]) -> None:
    state, now, paid = State(), datetime(2026, 11, 10, tzinfo=UTC), 0
    for number, step in enumerate(steps):
        now += timedelta(seconds=step[-1])
        events = happen(state, step, number, now)
        state = BUDGET.fold(events, state)
        paid += sum(pico_usd(event.usd) for event in events if isinstance(event, Settled))
        for key, budget in ALLOWED.items():
            for period in ("day", "month"):
                allowed = budget.pico_usd(period)
                if allowed is not None:
                    day = shared_budget.today(state, now)
                    used = state.spent(key, period, day) + state.reserved(key, period, day)
                    assert used <= allowed, (key, period, usd_text(used))
    assert state.system.month == paid
    assert BUDGET.snapshots
    assert BUDGET.snapshots.restored(BUDGET.snapshots.taken(state)) == state


# ── attacks ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_that_cost_more_than_it_reserved_counts_in_full() -> None:
    """The price was raised, or the provider counts other tokens. The excess is of one call at most."""
    state = after(reserved("c", "1"))
    state = BUDGET.fold(settle(state, "c", pico_usd("1.5"), limits(day="1.2"), NOON), state)
    assert state.spent(None, "day", TODAY) == pico_usd("1.5")
    assert refused(state, call("d", "0.000000000001"), limits(day="1.2")).reached.spent == pico_usd("1.5")


def test_a_limit_can_be_used_up_to_the_last_pico_dollar_and_no_further() -> None:
    state = after(reserved("a", "0.999999999999"))
    assert reserve(state, call("b", "0.000000000001"), limits(day=1), NOON)
    assert refused(state, call("b", "0.000000000002"), limits(day=1)).reached.may_fit_later


def test_a_lowered_limit_holds_for_the_next_call() -> None:
    state = after(*spent("1"))
    assert reserve(state, call("c", "1"), limits(day=2), NOON)
    assert refused(state, call("c", "1"), limits(day="0.5")).reached.limit.pico_usd == pico_usd("0.5")


def test_a_clock_that_is_ahead_and_then_right_again_gives_no_second_day() -> None:
    """What counts on the day of the wrong clock is not free on the days until then."""
    state = after(*spent("1", at=NOON + DAY))
    for now in (NOON, NOON + DAY):
        assert refused(state, call("c", "1"), limits(day="1.5"), now).reached.spent == pico_usd("1")
