"""Which schedules fire, and since when, by the history of their DAGs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.core.commit import Commit, Recorded
from contracts.core.event import Event
from contracts.core.timezones import InvalidTimezone
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.domain.plan import Intent, Job
from contracts.domain.schedule.expression import InvalidCron
from contracts.domain.schedule.schedule import Schedule
from scheduler.active_schedules import ActiveSchedule, ActiveSchedules, entry_of, is_current

START = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job(original_request="do it", intent=Intent(primary="work", sub_intents=()), entities=(), sub_tasks=())
NINE = Schedule(cron="0 9 * * *", timezone="Europe/Paris")

IMPORTED = dag.Imported(job=JOB)
REQUESTED = dag.Requested(goal_text="do it", agent_name="planner", schedule=NINE)
PLANNED = dag.Planned(job=JOB)
SET = dag.ScheduleSet(schedule=NINE)
PAUSED = dag.Updated(label="paused")
RESUMED = dag.Updated(label="active")


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


LATER = minute(60)
"""After everything here has happened."""


def history(*events: Event, dag_id: str = "d") -> list[Recorded]:
    """One commit a minute, the first at START."""
    state, commits = DAG.initial, []
    for n, event in enumerate(events):
        state = DAG.evolve(state, event)
        commit = Commit(
            id=f"{dag_id}-{n}",
            aggregate="dag",
            aggregate_id=dag_id,
            state=DAG.status(state),
            version=n + 1,
            time=minute(n),
            source="/test/1",
            events=(event,),
            correlation_id="c",
        )
        commits.append(Recorded(n + 1, commit))
    return commits


def since(number: int, schedule: Schedule = NINE) -> ActiveSchedule:
    return ActiveSchedule("d", ("dag", "d"), schedule, since=minute(number))


def test_a_schedule_given_with_the_goal_fires_once_there_is_a_plan() -> None:
    assert entry_of(history(REQUESTED), "d", LATER) is None
    assert entry_of(history(REQUESTED, PLANNED), "d", LATER) == since(1)


def test_a_schedule_fires_since_it_was_set() -> None:
    assert entry_of(history(IMPORTED, SET), "d", LATER) == since(1)


def test_without_a_schedule_nothing_fires() -> None:
    assert entry_of(history(IMPORTED), "d", LATER) is None
    assert entry_of((), "d", LATER) is None


@pytest.mark.parametrize(
    "last",
    [
        dag.ScheduleSet(schedule=None),
        dag.ScheduleSet(schedule=NINE.model_copy(update={"active": False})),
        PAUSED,
        dag.Deleted(),
    ],
)
def test_it_stops_when_removed_deactivated_paused_or_deleted(last: Event) -> None:
    assert entry_of(history(IMPORTED, SET, last), "d", LATER) is None


@pytest.mark.parametrize(
    ("stop", "go"),
    [
        (PAUSED, RESUMED),
        (dag.ScheduleSet(schedule=None), SET),
        (dag.ScheduleSet(schedule=NINE.model_copy(update={"active": False})), SET),
    ],
)
def test_a_resumed_schedule_counts_from_its_resumption(stop: Event, go: Event) -> None:
    assert entry_of(history(IMPORTED, SET, stop, go), "d", LATER) == since(3)


@pytest.mark.parametrize("changes", [{"cron": "0 10 * * *"}, {"timezone": "UTC"}])
def test_a_changed_expression_or_zone_counts_from_then_on(changes: dict[str, str]) -> None:
    changed = NINE.model_copy(update=changes)
    assert entry_of(history(IMPORTED, SET, dag.ScheduleSet(schedule=changed)), "d", LATER) == since(
        2, changed
    )


@pytest.mark.parametrize("change", [dag.Updated(title="new"), dag.Updated(job={"no": "job"}), RESUMED])
def test_other_changes_of_the_dag_do_not_touch_its_schedule(change: Event) -> None:
    assert entry_of(history(IMPORTED, SET, change), "d", LATER) == since(1)


def test_a_dag_paused_before_it_had_a_schedule_is_paused() -> None:
    assert entry_of(history(IMPORTED, PAUSED, SET), "d", LATER) is None
    assert entry_of(history(IMPORTED, PAUSED, SET, RESUMED), "d", LATER) == since(3)


def test_fold_returns_the_ids_of_changed_schedules() -> None:
    schedules = ActiveSchedules()
    imported, was_set, renamed, deleted = history(IMPORTED, SET, dag.Updated(title="new"), dag.Deleted())
    assert schedules.fold([imported, *history(IMPORTED, dag_id="other")], LATER) == set()
    assert schedules.fold([was_set], LATER) == {"d"}
    assert (schedules.get("d"), len(schedules)) == (since(1), 1)
    assert schedules.fold([renamed], LATER) == set()
    assert schedules.fold([deleted], LATER) == {"d"}
    assert (schedules.get("d"), len(schedules)) == (None, 0)


def test_a_schedule_that_names_no_ticks_says_so_when_asked() -> None:
    with pytest.raises(InvalidCron):
        _ = ActiveSchedule("d", ("dag", "d"), Schedule(cron="every day"), START).cron
    with pytest.raises(InvalidTimezone):
        _ = ActiveSchedule("d", ("dag", "d"), Schedule(cron="@daily", timezone="Mars/Olympus"), START).cron


def test_a_change_made_by_a_clock_that_was_ahead_counts_from_the_present() -> None:
    now = START - timedelta(days=365)
    assert entry_of(history(IMPORTED, SET), "d", now) == replace(since(1), since=now)


def test_a_change_by_a_clock_a_little_ahead_keeps_its_time() -> None:
    assert entry_of(history(IMPORTED, SET), "d", START) == since(1)


def test_a_schedule_is_current_though_its_history_was_written_ahead_of_its_clock() -> None:
    now = START - timedelta(days=365)
    entry = entry_of(history(IMPORTED, SET), "d", now)
    assert entry
    assert is_current(entry, history(IMPORTED, SET), now + timedelta(days=1))
    assert not is_current(
        entry, history(IMPORTED, SET, dag.ScheduleSet(schedule=None)), now + timedelta(days=1)
    )
