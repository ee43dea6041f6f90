"""Schedules of goals over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from contracts.api.schedules import ScheduleRow
from contracts.domain import dag, goal
from contracts.domain.dag import DAG
from contracts.domain.executors import ExecutorAlive
from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Schedule
from contracts.domain.schedule.ticks import SCHEDULE, Decision
from tests.services.gateway.schedules.schedules import BAD, GOAL_URL, JOB, NOON, SCHEDULES, add, listed
from tests.services.gateway.shared import UNKNOWN_IDS, keys_of

if TYPE_CHECKING:
    from tests.services.conftest import Api


async def active_schedules(api: Api) -> int:
    api.gateway.executors.record_heartbeat(ExecutorAlive(instance="e", capacity=1).model_dump_json().encode())
    number: int = (await api.get("/health/ready")).json["scheduler"]["activeSchedules"]
    return number


# ── add, list, change, remove ───────────────────────────────────────────────────────────────────────────


async def test_a_schedule_is_added_with_defaults(api: Api) -> None:
    added = await add(api)

    assert added["id"].startswith("sched_")
    assert added == {
        "id": added["id"],
        "goalId": "goal_1",
        "cronExpr": "0 9 * * *",
        "timezone": "UTC",
        "active": True,
        "paused": False,
        "overlap": "skip",
        "catchUpSeconds": None,
        "jitterSeconds": 0,
        "lastRunAt": None,
        "createdAt": added["createdAt"],
        "updatedAt": added["createdAt"],
    }
    assert list(added) == keys_of(ScheduleRow)
    assert await listed(api) == (await api.get(GOAL_URL)).json["schedules"] == [added]


async def test_all_of_a_schedule_can_be_given(api: Api) -> None:
    given = {
        "cronExpr": "*/30 * * * * *",
        "timezone": "Asia/Kolkata",
        "overlap": "queue_one",
        "catchUpSeconds": 0,
        "jitterSeconds": 3600,
        "paused": True,
    }

    added = await add(api, **given)

    assert added | given == added
    assert added["active"] is False
    (recorded,) = (await api.log.read("goal", "goal_1"))[1:]
    (event,) = recorded.commit.events
    assert event == goal.ScheduleAdded(
        schedule_id=added["id"],
        schedule=Schedule(
            cron="*/30 * * * * *",
            timezone="Asia/Kolkata",
            overlap="queue_one",
            catch_up_s=0,
            jitter_s=3600,
            paused=True,
        ),
    )


async def test_a_time_zone_is_kept_in_its_own_spelling(api: Api) -> None:
    added = await add(api, timezone="asia/KOLKATA")
    assert added["timezone"] == "Asia/Kolkata"
    changed = await api.patch(f"{SCHEDULES}/{added['id']}", {"timezone": "europe/paris"})
    assert changed.json["timezone"] == "Europe/Paris"


async def test_a_goal_may_have_several_and_they_are_listed_oldest_first(api: Api) -> None:
    ids = [(await add(api, cronExpr=cron))["id"] for cron in ("@daily", "@hourly", "@daily")]

    assert [one["id"] for one in await listed(api)] == ids


async def test_a_schedule_is_added_once_for_one_idempotency_key(api: Api) -> None:
    key = {"Idempotency-Key": "k"}
    answers = [await api.post(SCHEDULES, {"cronExpr": "@daily"}, headers=key) for _ in range(2)]

    assert answers[0].json == answers[1].json
    assert len(await listed(api)) == 1


async def test_a_schedule_added_to_a_paused_goal_waits_for_it(api: Api) -> None:
    await api.post(f"{GOAL_URL}/pause")
    added = await add(api)
    await api.post(f"{GOAL_URL}/resume")

    assert added["active"] is False
    assert [one["active"] for one in await listed(api)] == [True]


async def test_a_schedule_is_changed_key_by_key(api: Api) -> None:
    added = await add(api, timezone="Europe/Paris", catchUpSeconds=60)

    async def patch(**body: Any) -> Any:
        answer = await api.patch(f"{SCHEDULES}/{added['id']}", body)
        assert answer.status == 200, answer.body
        return {**answer.json, "updatedAt": ""}

    expected = {**added, "updatedAt": ""}
    expected |= {"cronExpr": "@hourly"}
    assert await patch(cronExpr="@hourly") == expected
    expected |= {"overlap": "cancel_running", "jitterSeconds": 5}
    assert await patch(overlap="cancel_running", jitterSeconds=5) == expected
    expected |= {"catchUpSeconds": None, "timezone": "UTC"}
    assert await patch(catchUpSeconds=None, timezone="UTC") == expected
    expected |= {"paused": True, "active": False}
    assert await patch(paused=True) == expected
    expected |= {"paused": False, "active": True}
    assert await patch(paused=False) == expected
    assert [{**one, "updatedAt": ""} for one in await listed(api)] == [expected]


async def test_resuming_the_goal_leaves_a_schedule_that_is_paused_itself(api: Api) -> None:
    added = await add(api, paused=True)

    await api.post(f"{GOAL_URL}/pause")
    await api.post(f"{GOAL_URL}/resume")

    (shown,) = await listed(api)
    assert (shown["id"], shown["paused"], shown["active"]) == (added["id"], True, False)


async def test_a_change_without_effect_writes_nothing(api: Api) -> None:
    added = await add(api)
    before = await api.log.last_seq()

    answer = await api.patch(f"{SCHEDULES}/{added['id']}", {"cronExpr": "0 9 * * *", "paused": False})

    assert (answer.status, answer.json) == (200, added)
    assert await api.log.last_seq() == before


async def test_a_changed_schedule_is_answered_with_when_it_last_ran(api: Api) -> None:
    added = await add(api)
    ticked = ticks.Ticked(tick=NOON, decision=Decision.FIRED, goal_id="goal_1", run_id="run_1")
    await api.write(SCHEDULE, added["id"], ticked)

    answer = await api.patch(f"{SCHEDULES}/{added['id']}", {"jitterSeconds": 1})

    assert answer.json["lastRunAt"] == "2026-01-01T12:00:00.000Z"
    assert await listed(api) == [answer.json]


async def test_a_removed_schedule_is_gone_with_its_ticks_and_others_stay(api: Api) -> None:
    one, other = await add(api), await add(api)
    await api.write(SCHEDULE, one["id"], ticks.Ticked(tick=NOON, decision=Decision.SKIPPED))

    answer = await api.delete(f"{SCHEDULES}/{one['id']}")

    assert (answer.status, answer.body) == (204, b"")
    assert await listed(api) == [other]
    assert (await api.get(f"/api/v1/schedules/{one['id']}/ticks")).status == 404
    assert (await api.delete(f"{SCHEDULES}/{one['id']}")).status == 404


# ── bad input ───────────────────────────────────────────────────────────────────────────────────────────


UNUSABLE = [
    ({"cronExpr": "nonsense"}, "Invalid cron expression"),
    ({"cronExpr": ""}, "Invalid cron expression"),
    ({"cronExpr": "*/90 * * * *"}, "Invalid cron expression"),
    ({"timezone": "localtime"}, "Invalid timezone"),
    ({"cronExpr": "0 0 30 2 *"}, "Invalid cron expression"),
    ({"cronExpr": "* " * 200}, "Invalid cron expression"),
    ({"timezone": "Mars/Base"}, "Invalid timezone"),
    ({"timezone": ""}, "Invalid timezone"),
]


@pytest.mark.parametrize(("body", "key"), BAD)
async def test_bad_input_is_refused_and_named(api: Api, body: Any, key: str) -> None:
    added = await add(api)
    before = await api.log.last_seq()

    new = await api.post(SCHEDULES, {"cronExpr": "@daily", **body})
    change = await api.patch(f"{SCHEDULES}/{added['id']}", body)

    for answer in (new, change):
        assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
        assert [issue["path"] for issue in answer.json["validation_errors"]] == [[key]]
    assert await api.log.last_seq() == before


@pytest.mark.parametrize(("body", "error"), UNUSABLE)
async def test_an_invalid_expression_or_time_zone_is_refused(api: Api, body: Any, error: str) -> None:
    added = await add(api)
    before = await api.log.last_seq()

    new = await api.post(SCHEDULES, {"cronExpr": "@daily", **body})
    change = await api.patch(f"{SCHEDULES}/{added['id']}", body)

    for answer in (new, change):
        assert (answer.status, answer.json["error"]) == (400, error)
        assert answer.json["details"]
    assert await api.log.last_seq() == before


async def test_a_new_schedule_needs_an_expression(api: Api) -> None:
    bodies: list[Any] = [{}, {"json": {}}, {"headers": {"Content-Type": "application/json"}}]
    for options in bodies:
        answer = await api.call("POST", SCHEDULES, **options)

        (issue,) = answer.json["validation_errors"]
        assert (answer.status, issue["path"], issue["message"]) == (400, ["cronExpr"], "Required")


async def test_an_unknown_id_is_not_found(api: Api) -> None:
    added = await add(api)
    for unknown in map(quote, UNKNOWN_IDS):
        goal_url = f"/api/v1/goals/{unknown}/schedules"
        of_goal = [
            await api.get(goal_url),
            await api.post(goal_url, {"cronExpr": "@daily"}),
        ]
        of_schedule = [
            await api.patch(f"{SCHEDULES}/{unknown}", {"paused": True}),
            await api.delete(f"{SCHEDULES}/{unknown}"),
            await api.get(f"/api/v1/schedules/{unknown}/ticks"),
            await api.get(f"/api/v1/schedules/{unknown}/next"),
        ]
        assert {(answer.status, answer.body) for answer in of_goal} == {(404, b'{"error":"Goal not found"}')}
        assert {(answer.status, answer.body) for answer in of_schedule} == {
            (404, b'{"error":"Schedule not found"}')
        }
    elsewhere = await api.delete(f"/api/v1/goals/goal_2/schedules/{added['id']}")
    assert (elsewhere.status, elsewhere.json) == (404, {"error": "Goal not found"})


# ── health ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_health_counts_the_schedules_that_fire_of_goals_and_of_dags(api: Api) -> None:
    await add(api)
    second = await add(api)
    await api.write(DAG, "dag1", dag.Imported(job=JOB), dag.ScheduleSet(schedule=Schedule(cron="@daily")))

    assert await active_schedules(api) == 3
    await api.patch(f"{SCHEDULES}/{second['id']}", {"paused": True})
    assert await active_schedules(api) == 2
    await api.post(f"{GOAL_URL}/pause")
    assert await active_schedules(api) == 1
