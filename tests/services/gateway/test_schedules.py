"""Schedules of goals over HTTP, and the ticks of any schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from contracts import dag, goal, schedule
from contracts.api.schedules import NextTicks, ScheduleRow, TickList, TickRow
from contracts.dag import DAG
from contracts.goal import GOAL
from contracts.presence import ExecutorAlive
from contracts.runtime.llm import LlmSettings
from contracts.schedule import SCHEDULE, Decision
from contracts.scheduling import Schedule
from tests import jobs
from tests.services.gateway.shared import UNKNOWN_IDS, keys_of

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OBJECTIVE = "Find out what grows here"
GOAL_URL = "/api/v1/goals/goal_1"
SCHEDULES = f"{GOAL_URL}/schedules"
JOB = jobs.job()


@pytest.fixture
async def api(api: Api) -> Api:
    """A gateway with one goal, at noon on new year's day."""
    await api.write(GOAL, "goal_1", goal.Created(objective=OBJECTIVE))
    api.gateway.clock = lambda: NOON
    return api


async def add(api: Api, **body: Any) -> Any:
    answer = await api.post(SCHEDULES, {"cronExpr": "0 9 * * *", **body})
    assert answer.status == 201, answer.body
    return answer.json


async def listed(api: Api) -> Any:
    answer = await api.get(SCHEDULES)
    assert answer.status == 200
    return answer.json


async def active_schedules(api: Api) -> int:
    api.gateway.executors.hear(ExecutorAlive(instance="e", capacity=1).model_dump_json().encode())
    number: int = (await api.get("/health/ready")).json["scheduler"]["activeSchedules"]
    return number


# ── add, list, change, remove ───────────────────────────────────────────────────────────────────────────


async def test_a_schedule_is_added_with_what_is_usual(api: Api) -> None:
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

    added = await add(api, **given, unknown=1)

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
    assert await patch(overlap="cancel_running", jitterSeconds=5, unknown=1) == expected
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


async def test_a_change_to_what_already_is_writes_nothing(api: Api) -> None:
    added = await add(api)
    before = await api.log.last_seq()

    answer = await api.patch(f"{SCHEDULES}/{added['id']}", {"cronExpr": "0 9 * * *", "paused": False})

    assert (answer.status, answer.json) == (200, added)
    assert await api.log.last_seq() == before


async def test_a_changed_schedule_is_answered_with_when_it_last_ran(api: Api) -> None:
    added = await add(api)
    ticked = schedule.Ticked(tick=NOON, decision=Decision.FIRED, goal_id="goal_1", run_id="run_1")
    await api.write(SCHEDULE, added["id"], ticked)

    answer = await api.patch(f"{SCHEDULES}/{added['id']}", {"jitterSeconds": 1})

    assert answer.json["lastRunAt"] == "2026-01-01T12:00:00.000Z"
    assert await listed(api) == [answer.json]


async def test_a_removed_schedule_is_gone_with_its_ticks_and_others_stay(api: Api) -> None:
    one, other = await add(api), await add(api)
    await api.write(SCHEDULE, one["id"], schedule.Ticked(tick=NOON, decision=Decision.SKIPPED))

    answer = await api.delete(f"{SCHEDULES}/{one['id']}")

    assert (answer.status, answer.body) == (204, b"")
    assert await listed(api) == [other]
    assert (await api.get(f"/api/v1/schedules/{one['id']}/ticks")).status == 404
    assert (await api.delete(f"{SCHEDULES}/{one['id']}")).status == 404


# ── bad input ───────────────────────────────────────────────────────────────────────────────────────────

BAD: list[tuple[dict[str, Any], str]] = [
    ({"cronExpr": 5}, "cronExpr"),
    ({"cronExpr": None}, "cronExpr"),
    ({"timezone": None}, "timezone"),
    ({"overlap": "maybe"}, "overlap"),
    ({"overlap": None}, "overlap"),
    ({"catchUpSeconds": -1}, "catchUpSeconds"),
    ({"catchUpSeconds": "60"}, "catchUpSeconds"),
    ({"jitterSeconds": 3601}, "jitterSeconds"),
    ({"jitterSeconds": 1.5}, "jitterSeconds"),
    ({"paused": "true"}, "paused"),
    ({"paused": None}, "paused"),
]
UNUSABLE = [
    ({"cronExpr": "nonsense"}, "Invalid cron expression"),
    ({"cronExpr": ""}, "Invalid cron expression"),
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
async def test_an_expression_or_a_zone_that_is_none_is_refused(api: Api, body: Any, error: str) -> None:
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


async def test_what_is_not_there_is_not_found(api: Api) -> None:
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


# ── ticks ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_ticks_are_listed_newest_first_with_what_was_decided(api: Api) -> None:
    schedule_id = (await add(api))["id"]
    hours = [NOON + timedelta(hours=number) for number in range(3)]
    fired = schedule.Ticked(tick=hours[0], decision=Decision.FIRED, goal_id="goal_1", run_id="run_1")
    skipped = schedule.Ticked(
        tick=hours[1], decision=Decision.SKIPPED, goal_id="goal_1", reason="still going"
    )
    queued = schedule.Ticked(tick=hours[2], decision=Decision.QUEUED, goal_id="goal_1", reason="still going")
    for event in (fired, skipped, queued):
        await api.write(SCHEDULE, schedule_id, event)

    async def ticks(query: str = "") -> Any:
        answer = await api.get(f"/api/v1/schedules/{schedule_id}/ticks{query}")
        assert answer.status == 200
        return answer.json

    shown = await ticks()
    assert list(shown) == keys_of(TickList)
    newest, *_, oldest = shown["ticks"]
    assert list(newest) == keys_of(TickRow)
    assert {**oldest, "createdAt": ""} == {
        "scheduleId": schedule_id,
        "tick": "2026-01-01T12:00:00.000Z",
        "decision": "fired",
        "reason": None,
        "goalId": "goal_1",
        "dagId": None,
        "runId": "run_1",
        "createdAt": "",
    }
    assert (newest["decision"], newest["reason"], newest["runId"]) == ("queued", "still going", None)
    assert shown["pagination"] == {"limit": 50, "offset": 0, "count": 3, "total": 3}
    page = await ticks("?limit=1&offset=1")
    assert [one["decision"] for one in page["ticks"]] == ["skipped"]
    assert page["pagination"] == {"limit": 1, "offset": 1, "count": 1, "total": 3}
    beyond = await ticks("?offset=3")
    assert (beyond["ticks"], beyond["pagination"]["total"]) == ([], 3)


async def test_a_tick_decided_anew_is_shown_as_it_was_decided_last(api: Api) -> None:
    schedule_id = (await add(api))["id"]
    queued = schedule.Ticked(tick=NOON, decision=Decision.QUEUED, goal_id="goal_1", reason="still going")
    await api.write(SCHEDULE, schedule_id, queued)
    fired = schedule.Amended(
        tick=NOON, decision=Decision.FIRED, goal_id="goal_1", run_id="run_2", newest=NOON
    )
    await api.write(SCHEDULE, schedule_id, fired)

    (tick,) = (await api.get(f"/api/v1/schedules/{schedule_id}/ticks")).json["ticks"]

    assert (tick["decision"], tick["reason"], tick["runId"]) == ("fired", None, "run_2")
    assert [one["lastRunAt"] for one in await listed(api)] == ["2026-01-01T12:00:00.000Z"]


async def test_the_ticks_of_a_dag_go_by_its_id(api: Api) -> None:
    await api.write(
        DAG, "dag1", dag.Requested(goal_text="g", agent_name="A", schedule=Schedule(cron="@daily"))
    )
    ticked = schedule.Ticked(tick=NOON, decision=Decision.MISSED, dag_id="dag1", reason="slept through")
    await api.write(SCHEDULE, "dag1", ticked)

    (tick,) = (await api.get("/api/v1/schedules/dag1/ticks")).json["ticks"]

    assert (tick["dagId"], tick["goalId"], tick["decision"]) == ("dag1", None, "missed")


@pytest.mark.parametrize(
    "query",
    ["ticks?limit=0", "ticks?limit=101", "ticks?offset=-1", "next?count=0", "next?count=101", "next?count=x"],
)
async def test_a_bad_query_is_refused(api: Api, query: str) -> None:
    schedule_id = (await add(api))["id"]

    answer = await api.get(f"/api/v1/schedules/{schedule_id}/{query}")

    assert (answer.status, answer.json["error"]) == (400, "Invalid query parameters")


# ── next ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_next_ticks_are_told_from_now_on(api: Api) -> None:
    added = await add(api, cronExpr="0 9 * * *", timezone="Europe/Paris", jitterSeconds=30)

    answer = await api.get(f"/api/v1/schedules/{added['id']}/next?count=2")

    assert (answer.status, list(answer.json)) == (200, keys_of(NextTicks))
    assert answer.json == {
        "scheduleId": added["id"],
        "cronExpr": "0 9 * * *",
        "description": "At 09:00 AM",
        "timezone": "Europe/Paris",
        "active": True,
        "jitterSeconds": 30,
        "next": ["2026-01-02T08:00:00.000Z", "2026-01-03T08:00:00.000Z"],
    }


async def test_ten_ticks_are_told_unless_asked_otherwise(api: Api) -> None:
    added = await add(api, cronExpr="* * * * *")

    async def ticks(query: str) -> list[str]:
        told: list[str] = (await api.get(f"/api/v1/schedules/{added['id']}/next{query}")).json["next"]
        return told

    assert len(await ticks("")) == 10
    assert (await ticks("?count=100"))[-1] == "2026-01-01T13:40:00.000Z"


async def test_a_schedule_that_does_not_fire_tells_its_ticks_and_that_it_does_not(api: Api) -> None:
    added = await add(api)

    async def told() -> Any:
        return (await api.get(f"/api/v1/schedules/{added['id']}/next?count=1")).json

    await api.patch(f"{SCHEDULES}/{added['id']}", {"paused": True})
    paused = await told()
    await api.patch(f"{SCHEDULES}/{added['id']}", {"paused": False})
    await api.post(f"{GOAL_URL}/pause")
    goal_paused = await told()

    assert (paused["active"], goal_paused["active"]) == (False, False)
    assert paused["next"] == goal_paused["next"] == ["2026-01-02T09:00:00.000Z"]


async def test_the_next_ticks_of_a_dag_go_by_its_id(api: Api) -> None:
    wanted = Schedule(cron="0 0 1 * *", timezone="UTC")
    await api.write(DAG, "dag1", dag.Imported(job=JOB), dag.ScheduleSet(schedule=wanted))
    await api.write(DAG, "dag2", dag.Imported(job=JOB))

    answer = await api.get("/api/v1/schedules/dag1/next?count=1")
    paused = await api.patch("/api/v1/dags/dag1", {"status": "paused"})

    assert (answer.json["active"], answer.json["next"]) == (True, ["2026-02-01T00:00:00.000Z"])
    assert paused.status == 200
    assert (await api.get("/api/v1/schedules/dag1/next")).json["active"] is False
    assert (await api.get("/api/v1/schedules/dag2/next")).status == 404


# ── policies of a DAG's schedule ────────────────────────────────────────────────────────────────────────


async def patch_dag(api: Api, **body: Any) -> Any:
    answer = await api.patch("/api/v1/dags/dag1", body)
    assert answer.status == 200, answer.body
    shown = ("cronSchedule", "overlap", "catchUpSeconds", "jitterSeconds")
    return {key: answer.json[key] for key in shown}


async def test_a_dags_schedule_has_policies_too_and_keeps_them(api: Api) -> None:
    await api.write(DAG, "dag1", dag.Imported(job=JOB))
    nothing = {"overlap": None, "catchUpSeconds": None, "jitterSeconds": None}
    policies = {"overlap": "allow", "catchUpSeconds": 60, "jitterSeconds": 5}

    assert await patch_dag(api, overlap="allow") == {"cronSchedule": None, **nothing}
    usual = {"overlap": "allow", "catchUpSeconds": None, "jitterSeconds": 0}
    assert await patch_dag(api, cronSchedule="@daily") == {"cronSchedule": "@daily", **usual}
    assert await patch_dag(api, **policies) == {"cronSchedule": "@daily", **policies}
    assert await patch_dag(api, cronSchedule="@hourly") == {"cronSchedule": "@hourly", **policies}
    policies |= {"catchUpSeconds": None}
    assert await patch_dag(api, catchUpSeconds=None) == {"cronSchedule": "@hourly", **policies}
    assert await patch_dag(api, cronSchedule="") == {"cronSchedule": None, **nothing}


@pytest.mark.parametrize(
    ("body", "key"), [(body, key) for body, key in BAD if key in {"overlap", "jitterSeconds"}]
)
async def test_bad_policies_of_a_dag_are_refused_and_named(api: Api, body: Any, key: str) -> None:
    await api.write(DAG, "dag1", dag.Imported(job=JOB))

    answer = await api.patch("/api/v1/dags/dag1", body)

    assert answer.status == 400
    assert [issue["path"] for issue in answer.json["validation_errors"]] == [[key]]


async def test_a_new_dag_may_have_policies_for_its_schedule(start_gateway: StartGateway) -> None:
    api = await start_gateway(llm=LlmSettings(_env_file=None, llm_provider="ollama", llm_model="m"))
    agent_id = (await api.post("/api/v1/agents", {"name": "A", "version": "1", "promptTemplate": "p"})).json[
        "id"
    ]
    await api.post(f"/api/v1/agents/{agent_id}/activate")
    policies = {"overlap": "queue_one", "catchUpSeconds": 0, "jitterSeconds": 9}
    body = {"goal-text": "g", "agentName": "A", "cronSchedule": "@daily", **policies}

    answer = await api.post("/api/v1/create-dag", body, headers={"Prefer": "respond-async"})

    assert answer.status == 202
    shown = (await api.get(f"/api/v1/dags/{answer.json['dagId']}")).json
    assert shown | policies == shown


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
