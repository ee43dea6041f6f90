"""The history of a schedule: what is recorded about ticks, and what may be decided anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given as for_all
from hypothesis import strategies as st

from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Schedule, jitter
from contracts.domain.schedule.ticks import SCHEDULE, Amended, Decision, State, Ticked, evolve, record, rewind

Given = Callable[..., Any]

START = datetime(2026, 1, 1, tzinfo=UTC)
FIRED, QUEUED, SKIPPED, MISSED = Decision.FIRED, Decision.QUEUED, Decision.SKIPPED, Decision.MISSED


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def ticked(minute: int, decision: Decision, run_id: str | None = None, **carried: Any) -> Ticked:
    return Ticked(tick=at(minute), decision=decision, run_id=run_id, goal_id="g", **carried)


RAN = ticked(1, FIRED, "run_1")
WAITS = ticked(2, QUEUED, previous_run="run_1")


def test_a_tick_is_decided_once(given: Given) -> None:
    given(SCHEDULE).when(ticks.record, [RAN]).then_once(RAN)
    given(SCHEDULE, ticked(2, MISSED)).when(ticks.record, [RAN]).then_nothing()


def test_every_record_repeats_what_is_needed_to_go_on(given: Given) -> None:
    given(SCHEDULE, RAN).when(ticks.record, [ticked(2, MISSED), ticked(3, QUEUED), ticked(4, SKIPPED)]).then(
        ticked(2, MISSED, previous_run="run_1"),
        ticked(3, QUEUED, previous_run="run_1"),
        ticked(4, SKIPPED, previous_run="run_1", queued=at(3)),
    )


def test_the_newest_record_is_enough(given: Given) -> None:
    history = (RAN, WAITS, ticked(3, SKIPPED, previous_run="run_1", queued=at(2)))
    state = given(SCHEDULE, *history).state
    assert given(SCHEDULE, history[-1]).state == state
    assert (state.newest, state.run_id, state.queued) == (at(3), "run_1", at(2))


def test_the_queued_tick_is_decided_anew_once(given: Given) -> None:
    skipped = ticked(3, SKIPPED, previous_run="run_1", queued=at(2))
    given(SCHEDULE, RAN, WAITS, skipped).when(ticks.amend, ticked(2, FIRED, "run_2")).then_once(
        Amended(tick=at(2), decision=FIRED, run_id="run_2", goal_id="g", newest=at(3))
    )


def test_a_tick_that_fired_is_decided_anew_only_as_long_as_it_is_the_newest(given: Given) -> None:
    given(SCHEDULE, RAN).when(ticks.amend, ticked(1, SKIPPED)).then_once(
        Amended(tick=at(1), decision=SKIPPED, goal_id="g", previous_run="run_1", newest=at(1))
    )
    given(SCHEDULE, RAN, ticked(2, SKIPPED)).when(ticks.amend, ticked(1, SKIPPED)).then_nothing()


@for_all(st.integers(0, 3600), st.integers(0, 10_000))
def test_jitter_is_within_its_bound_and_the_same_for_everyone(bound: int, minute: int) -> None:
    found = jitter("sched_1", at(minute), bound)
    assert timedelta() <= found <= timedelta(seconds=bound)
    assert jitter("sched_1", at(minute), bound) == found


def test_jitter_spreads_ticks_and_schedules() -> None:
    assert len({jitter("sched_1", at(minute), 600) for minute in range(20)}) > 15
    assert jitter("sched_1", at(0), 600) != jitter("sched_2", at(0), 600)


def test_a_stored_schedule_of_old_reads_as_it_was_meant() -> None:
    old = Schedule.model_validate({"cron": "@daily", "timezone": "UTC", "active": True})
    assert old == Schedule(cron="@daily")
    assert old.fires


def test_a_newest_tick_too_far_ahead_is_rewound_and_the_schedule_continues() -> None:
    ahead = SCHEDULE.fold(
        record(State(), [ticked(600, Decision.FIRED, "run_1"), ticked(601, Decision.SKIPPED)])
    )
    (rewound,) = rewind(ahead, at(0))
    state = evolve(ahead, rewound)
    assert (state.newest, state.passed_over, state.run_id) == (at(0), at(601), "run_1")
    assert rewind(state, at(0)) == []
    (again,) = record(state, [ticked(600, Decision.FIRED, "run_1")])
    assert again.passed_over == at(601)
    (last,) = record(evolve(state, again), [ticked(601, Decision.FIRED, "run_2")])
    assert last.passed_over is None


def test_a_clock_that_is_a_little_behind_rewinds_nothing() -> None:
    state = SCHEDULE.fold(record(State(), [ticked(5, Decision.FIRED, "run_1")]))
    assert rewind(state, at(0)) == []
    assert rewind(State(), at(0)) == []
