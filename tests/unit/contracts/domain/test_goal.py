"""The goal aggregate: its fields, its status, its schedules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from contracts.core.event import Event
from contracts.domain import goal
from contracts.domain.goal import GOAL, Params, Status
from contracts.domain.schedule.schedule import Overlap, Schedule

Given = Callable[..., Any]

CREATED = goal.Created(objective="find it", params=Params(step_budget=5), webhook_url="https://a.org/hook")
DAILY = Schedule(cron="@daily")
HOURLY = Schedule(cron="@hourly", overlap=Overlap.ALLOW)
ADDED = goal.ScheduleAdded(schedule_id="sched_1", schedule=DAILY)


def inactive(schedule: Schedule) -> Schedule:
    return schedule.model_copy(update={"active": False})


def test_a_goal_is_created_with_its_schedules_once(given: Given) -> None:
    given(GOAL).when(goal.create, CREATED, {"sched_1": DAILY}).then_once(CREATED, ADDED)


def test_fields_that_are_not_given_stay(given: Given) -> None:
    changes = goal.Updated(objective="find that")
    given(GOAL, CREATED).when(goal.update, changes).then_once(changes)
    state = given(GOAL, CREATED, changes).state
    assert (state.objective, state.params, state.webhook_url) == (
        "find that",
        CREATED.params,
        CREATED.webhook_url,
    )


def test_parameters_are_replaced_whole_and_an_empty_webhook_takes_it_away(given: Given) -> None:
    state = given(GOAL, CREATED, goal.Updated(params=Params(strategy="dag"), webhook_url="")).state
    assert state.params == Params(strategy="dag")
    assert state.webhook_url is None


def test_parameters_look_as_the_client_gave_them() -> None:
    assert Params().as_json() == {}
    given = {"stepBudget": 3, "allowedTools": ["a"], "constraints": {"k": None}, "maxTokens": 9}
    assert Params.model_validate(given).as_json() == given


def test_pausing_stops_every_schedule_and_resuming_starts_them(given: Given) -> None:
    given(GOAL, CREATED, ADDED).when(goal.pause).then_once(goal.Paused())
    paused = (CREATED, ADDED, goal.Paused())
    assert given(GOAL, *paused).state.schedules == {"sched_1": inactive(DAILY)}
    given(GOAL, *paused).when(goal.resume).then_once(goal.Resumed())
    assert given(GOAL, *paused, goal.Resumed()).state.schedules == {"sched_1": DAILY}


def test_resuming_an_active_goal_with_an_inactive_schedule_starts_it(given: Given) -> None:
    stopped = goal.ScheduleChanged(schedule_id="sched_1", schedule=inactive(DAILY))
    given(GOAL, CREATED, ADDED).when(goal.resume).then_nothing()
    given(GOAL, CREATED, ADDED, stopped).when(goal.resume).then_once(goal.Resumed())


def test_a_schedule_that_was_paused_alone_stays_so_when_the_goal_is_resumed(given: Given) -> None:
    alone = goal.ScheduleAdded(schedule_id="sched_1", schedule=DAILY.model_copy(update={"paused": True}))
    schedule = given(GOAL, CREATED, alone, goal.Paused(), goal.Resumed()).state.schedules["sched_1"]
    assert schedule.active
    assert not schedule.fires


@pytest.mark.parametrize(
    ("status", "event"),
    [(Status.PAUSED, goal.Paused()), (Status.ARCHIVED, goal.Archived())],
)
def test_a_status_is_set_by_the_event_that_means_it(given: Given, status: Status, event: Event) -> None:
    given(GOAL, CREATED).when(goal.set_status, status).then_once(event)
    assert given(GOAL, CREATED, event).state.status is status
    given(GOAL, CREATED, event).when(goal.set_status, Status.ACTIVE).then_once(goal.Resumed())


def test_a_schedule_added_to_a_paused_goal_waits_for_it(given: Given) -> None:
    given(GOAL, CREATED).when(goal.add_schedule, "sched_2", HOURLY).then_once(
        goal.ScheduleAdded(schedule_id="sched_2", schedule=HOURLY)
    )
    given(GOAL, CREATED, goal.Paused()).when(goal.add_schedule, "sched_2", HOURLY).then_once(
        goal.ScheduleAdded(schedule_id="sched_2", schedule=inactive(HOURLY))
    )


def test_a_schedule_is_changed_and_removed(given: Given) -> None:
    has_one = given(GOAL, CREATED, ADDED)
    has_one.when(goal.change_schedule, "sched_1", DAILY).then_nothing()
    has_one.when(goal.change_schedule, "sched_1", HOURLY).then_once(
        goal.ScheduleChanged(schedule_id="sched_1", schedule=HOURLY)
    )
    has_one.when(goal.remove_schedule, "sched_1").then(goal.ScheduleRemoved(schedule_id="sched_1"))
    assert given(GOAL, CREATED, ADDED, goal.ScheduleRemoved(schedule_id="sched_1")).state.schedules == {}


@pytest.mark.parametrize("decide", [goal.remove_schedule, lambda s, i: goal.change_schedule(s, i, DAILY)])
def test_a_schedule_the_goal_does_not_have_is_unknown(given: Given, decide: Any) -> None:
    given(GOAL, CREATED, ADDED).when(decide, "sched_9").then_raises(goal.UnknownSchedule)


@pytest.mark.parametrize("history", [(), (CREATED, goal.Deleted())])
@pytest.mark.parametrize(
    "decide",
    [
        goal.pause,
        goal.resume,
        goal.archive,
        goal.delete,
        lambda state: goal.update(state, goal.Updated(objective="find that")),
        lambda state: goal.add_schedule(state, "sched_1", DAILY),
        lambda state: goal.remove_schedule(state, "sched_1"),
    ],
)
def test_a_goal_that_is_not_there_is_unknown(given: Given, history: Sequence[Event], decide: Any) -> None:
    given(GOAL, *history).when(decide).then_raises(goal.UnknownGoal, "Goal not found")


def test_a_deleted_goal_is_not_created_again(given: Given) -> None:
    given(GOAL, CREATED).when(goal.delete).then(goal.Deleted())
    given(GOAL, CREATED, goal.Deleted()).when(goal.create, CREATED).then_nothing()
