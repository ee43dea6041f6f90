"""The ticks of any schedule over HTTP: what was decided about them, and when the next ones come."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from contracts.api.schedules import NextTicks, TickList, TickRow
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.domain.schedule.schedule import Schedule
from contracts.domain.schedule.ticks import SCHEDULE, Amended, Decision, Ticked
from tests.services.gateway.schedules.schedules import GOAL_URL, JOB, NOON, SCHEDULES, add, listed
from tests.services.gateway.shared import keys_of

if TYPE_CHECKING:
    from tests.services.conftest import Api


# ── ticks ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_ticks_are_listed_newest_first_with_what_was_decided(api: Api) -> None:
    schedule_id = (await add(api))["id"]
    hours = [NOON + timedelta(hours=number) for number in range(3)]
    fired = Ticked(tick=hours[0], decision=Decision.FIRED, goal_id="goal_1", run_id="run_1")
    skipped = Ticked(tick=hours[1], decision=Decision.SKIPPED, goal_id="goal_1", reason="still going")
    queued = Ticked(tick=hours[2], decision=Decision.QUEUED, goal_id="goal_1", reason="still going")
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
    queued = Ticked(tick=NOON, decision=Decision.QUEUED, goal_id="goal_1", reason="still going")
    await api.write(SCHEDULE, schedule_id, queued)
    fired = Amended(tick=NOON, decision=Decision.FIRED, goal_id="goal_1", run_id="run_2", newest=NOON)
    await api.write(SCHEDULE, schedule_id, fired)

    (tick,) = (await api.get(f"/api/v1/schedules/{schedule_id}/ticks")).json["ticks"]

    assert (tick["decision"], tick["reason"], tick["runId"]) == ("fired", None, "run_2")
    assert [one["lastRunAt"] for one in await listed(api)] == ["2026-01-01T12:00:00.000Z"]


async def test_the_ticks_of_a_dag_stay_when_its_expression_is_removed(api: Api) -> None:
    imported = dag.Imported(job=Job.model_validate(JOB))
    await api.write(DAG, "d1", imported, dag.ScheduleSet(schedule=Schedule(cron="@daily")))
    fired = Ticked(tick=NOON, decision=Decision.FIRED, dag_id="d1", run_id="dag-exec_1")
    await api.write(SCHEDULE, "d1", fired)
    await api.write(DAG, "d1", dag.ScheduleSet(schedule=None))

    answer = await api.get("/api/v1/schedules/d1/ticks")

    assert answer.status == 200
    assert [one["runId"] for one in answer.json["ticks"]] == ["dag-exec_1"]


async def test_the_ticks_of_a_dag_go_by_its_id(api: Api) -> None:
    await api.write(
        DAG, "dag1", dag.Requested(goal_text="g", agent_name="A", schedule=Schedule(cron="@daily"))
    )
    ticked = Ticked(tick=NOON, decision=Decision.MISSED, dag_id="dag1", reason="slept through")
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


async def test_the_next_ticks_start_now(api: Api) -> None:
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


async def test_ten_ticks_are_returned_by_default(api: Api) -> None:
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
