"""Records of DAGs over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from pydantic import TypeAdapter

from contracts.api.dags import DagList, DagRow, ScheduledDag
from contracts.core.event import Usage
from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.domain.schedule.schedule import Schedule
from contracts.runtime.stream import transact
from projector.database import Database
from tests import jobs
from tests.services.conftest import ORIGIN
from tests.services.gateway.shared import UNKNOWN_IDS

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway


def job(**changes: Any) -> Job:
    """A plan of one step."""
    task = jobs.task("001", "writeFile", {"path": "a.md", "content": "x"}, needs=("none",))
    return jobs.job(task, **{"validation": {"coverage": "high"}, **changes})


def requested(**changes: Any) -> dag.Requested:
    return dag.Requested(**{"goal_text": "do it", "agent_name": "Planner", "seed": 3} | changes)


ATTEMPT = dag.AttemptMade(
    attempt=1, reason="initial", usage=Usage(prompt_tokens=11, completion_tokens=7), cost_usd="0.00123"
)
TITLE = dag.AttemptMade(attempt=1, reason="title_master", usage=Usage(prompt_tokens=1, completion_tokens=2))


async def planned(api: Api, dag_id: str, **changes: Any) -> None:
    """A DAG with a plan."""
    await api.write(DAG, dag_id, requested(**changes))
    await api.write(DAG, dag_id, ATTEMPT, TITLE, dag.Planned(job=job(), title="A title"))


async def test_a_dag_is_shown_with_its_plan_and_what_planning_took(api: Api) -> None:
    await planned(api, "d1", schedule=Schedule(cron="0 9 * * *", timezone="Asia/Kolkata"))

    shown = (await api.get("/api/v1/dags/d1")).json

    assert shown["id"] == "d1"
    assert shown["status"] == "success"
    assert shown["result"]["sub_tasks"][0]["tool_or_prompt"]["name"] == "writeFile"
    assert shown["result"]["sub_tasks"][0]["dependencies"] == ["none"]
    assert shown["usage"] == {"promptTokens": 11, "completionTokens": 7, "totalTokens": 18}
    assert shown["generationStats"] is None
    assert shown["attempts"] == 1
    assert shown["params"] == {
        "goalText": "do it",
        "agentName": "Planner",
        "temperature": 0.7,
        "max_tokens": 10000,
        "seed": 3,
    }
    assert (shown["agentName"], shown["dagTitle"]) == ("Planner", "A title")
    assert (shown["cronSchedule"], shown["scheduleActive"], shown["timezone"]) == (
        "0 9 * * *",
        True,
        "Asia/Kolkata",
    )
    assert shown["lastRunAt"] is None
    assert shown["createdAt"].endswith("Z")
    assert shown["planningTotalUsage"] == {"promptTokens": 12, "completionTokens": 9, "totalTokens": 21}
    assert shown["planningTotalCostUsd"] == "0.00123"
    assert shown["planningAttempts"] == [
        {"attempt": 1, "reason": "initial", "usage": shown["usage"], "costUsd": "0.00123"},
        {
            "attempt": 1,
            "reason": "title_master",
            "usage": {"promptTokens": 1, "completionTokens": 2, "totalTokens": 3},
        },
    ]


async def test_rows_are_what_the_api_says_they_are(api: Api) -> None:
    """Rows are made without the models that describe them; this holds the two together."""
    await planned(api, "d1", schedule=Schedule(cron="@daily"))
    await api.write(DAG, "d2", dag.Imported(job=job()))

    shown = (await api.get("/api/v1/dags/d1")).json
    listed = (await api.get("/api/v1/dags")).json
    scheduled = (await api.get("/api/v1/dags/scheduled")).json

    assert list(shown) == list(described(DagRow)["properties"])
    assert list(listed) == list(described(DagList)["properties"])
    assert list(scheduled[0]) == list(described(ScheduledDag)["properties"])


def described(model: type) -> dict[str, Any]:
    return TypeAdapter(model).json_schema(mode="serialization")


async def test_planning_without_a_known_price_costs_zero(api: Api) -> None:
    await api.write(DAG, "d1", requested())
    await api.write(DAG, "d1", TITLE, dag.Planned(job=job()))

    assert (await api.get("/api/v1/dags/d1")).json["planningTotalCostUsd"] == "0"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/dags/{}"), ("PATCH", "/api/v1/dags/{}"), ("DELETE", "/api/v1/dags/{}"),
     ("DELETE", "/api/v1/dag/{}"), ("GET", "/api/v1/dags/{}/executions")],
)  # fmt: skip
async def test_an_unknown_id_is_not_found(api: Api, method: str, path: str) -> None:
    for dag_id in UNKNOWN_IDS:
        answer = await api.call(method, path.format(quote(dag_id)))

        assert (answer.status, answer.json) == (404, {"error": f"DAG with id '{dag_id}' not found"})


async def test_a_list_is_newest_first_and_tells_its_place_and_the_total(api: Api) -> None:
    for dag_id in ("d1", "d2", "d3"):
        await planned(api, dag_id)

    listed = (await api.get("/api/v1/dags?limit=2&offset=1")).json

    assert [row["id"] for row in listed["dags"]] == ["d2", "d1"]
    assert listed["pagination"] == {"limit": 2, "offset": 1, "count": 2, "total": 3}
    assert len(listed["dags"][0]["planningAttempts"]) == 2


async def test_a_page_past_the_end_is_empty_and_still_tells_the_total(api: Api) -> None:
    await planned(api, "d1")

    listed = (await api.get("/api/v1/dags?offset=5")).json

    assert listed == {"dags": [], "pagination": {"limit": 50, "offset": 5, "count": 0, "total": 1}}


async def test_an_empty_list_has_a_total_of_zero(api: Api) -> None:
    assert (await api.get("/api/v1/dags")).json["pagination"]["total"] == 0


async def test_dags_without_a_plan_are_listed_only_by_their_status(api: Api) -> None:
    await planned(api, "ready")
    await api.write(DAG, "waits", requested())
    await api.write(DAG, "asks", requested())
    await api.write(DAG, "asks", dag.ClarificationAsked(query="which?", job=job()))
    await api.write(DAG, "failed", requested())
    await api.write(DAG, "failed", dag.Rejected(http_status=500, error="no"))

    async def ids(query: str = "") -> list[str]:
        return [row["id"] for row in (await api.get(f"/api/v1/dags{query}")).json["dags"]]

    assert await ids() == ["asks", "ready"]
    assert await ids("?status=success") == ["ready"]
    assert await ids("?status=planning") == ["waits"]
    assert await ids("?status=pending") == ["asks"]
    assert await ids("?status=failed") == ["failed"]
    assert (await api.get("/api/v1/dags/asks")).json["clarificationQuery"] == "which?"
    assert (await api.get("/api/v1/dags/failed")).json["error"] == {"httpStatus": 500, "error": "no"}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "offset=-1", "offset=99999999999999999999"]
)
async def test_a_page_out_of_range_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"/api/v1/dags?{query}")

    assert answer.status == 400
    assert answer.json["error"] == "Invalid query parameters"
    assert answer.json["validation_errors"][0]["path"] == [query.partition("=")[0]]


async def test_scheduled_dags_are_listed_with_their_schedule_in_english(api: Api) -> None:
    await planned(api, "daily", schedule=Schedule(cron="0 9 * * *"))
    await planned(api, "off", schedule=Schedule(cron="* * * * *", active=False))
    await planned(api, "never")

    assert (await api.get("/api/v1/dags/scheduled")).json == [
        {
            "id": "off",
            "dag_title": "A title",
            "cron_schedule": "* * * * *",
            "schedule_description": "Every minute",
            "schedule_active": False,
        },
        {
            "id": "daily",
            "dag_title": "A title",
            "cron_schedule": "0 9 * * *",
            "schedule_description": "At 09:00 AM",
            "schedule_active": True,
        },
    ]


async def test_a_patch_changes_what_it_gives_and_nothing_else(api: Api) -> None:
    await planned(api, "d1")
    before = (await api.get("/api/v1/dags/d1")).json

    changed = await api.patch(
        "/api/v1/dags/d1",
        {"dagTitle": "New", "status": "paused", "params": {"goalText": "other"}},
    )

    assert changed.status == 200
    expected = before | {"dagTitle": "New", "status": "paused", "params": {"goalText": "other"}}
    assert changed.json | {"updatedAt": None} == expected | {"updatedAt": None}
    assert changed.json == (await api.get("/api/v1/dags/d1")).json


async def test_a_patch_of_nothing_writes_nothing(api: Api) -> None:
    await planned(api, "d1")
    before = await api.log.last_seq()

    assert (await api.patch("/api/v1/dags/d1", {})).status == 200
    assert await api.log.last_seq() == before


async def test_the_job_can_be_replaced(api: Api) -> None:
    await planned(api, "d1")

    changed = await api.patch("/api/v1/dags/d1", {"result": {"anything": "goes"}})

    assert changed.json["result"] == {"anything": "goes"}


async def test_expression_activity_and_time_zone_of_a_schedule_are_values_of_their_own(api: Api) -> None:
    await planned(api, "d1")

    async def patched(**patch: Any) -> tuple[Any, Any, Any]:
        answer = await api.patch("/api/v1/dags/d1", patch)
        assert answer.status == 200, answer.body
        return answer.json["cronSchedule"], answer.json["scheduleActive"], answer.json["timezone"]

    assert await patched(timezone="europe/paris") == (None, False, "Europe/Paris")
    assert await patched(cronSchedule="0 9 * * *") == ("0 9 * * *", False, "Europe/Paris")
    assert await patched(scheduleActive=True) == ("0 9 * * *", True, "Europe/Paris")
    assert await patched(timezone="Asia/Kolkata") == ("0 9 * * *", True, "Asia/Kolkata")
    assert await patched(cronSchedule="@hourly") == ("@hourly", True, "Asia/Kolkata")
    assert await patched(cronSchedule="") == (None, True, "Asia/Kolkata")
    assert await patched(scheduleActive=False, timezone="UTC") == (None, False, "UTC")
    assert await patched(scheduleActive=True) == (None, True, "UTC")
    assert await patched(cronSchedule="@daily", scheduleActive=False) == ("@daily", False, "UTC")


async def test_a_dag_is_scheduled_when_it_has_an_expression_and_is_active_and_not_paused(api: Api) -> None:
    await planned(api, "d1")

    async def scheduled(**patch: Any) -> Any:
        assert (await api.patch("/api/v1/dags/d1", patch)).status == 200
        return (await api.get("/health/ready")).json["dagScheduler"]["schedules"]

    assert await scheduled(scheduleActive=True) == []
    assert await scheduled(cronSchedule="@daily") == ["d1"]
    assert await scheduled(status="paused") == []
    assert await scheduled(status="active") == ["d1"]
    assert await scheduled(cronSchedule="") == []
    assert (await api.get("/api/v1/dags/scheduled")).json == []


async def test_a_patch_of_a_schedule_to_what_it_is_writes_nothing(api: Api) -> None:
    await planned(api, "d1")
    before = await api.log.last_seq()

    for patch in ({}, {"timezone": "UTC"}, {"scheduleActive": False}, {"cronSchedule": ""}):
        assert (await api.patch("/api/v1/dags/d1", patch)).status == 200

    assert await api.log.last_seq() == before


@pytest.mark.parametrize(
    ("patch", "error"),
    [
        ({"cronSchedule": "every day"}, "Invalid cron expression"),
        ({"cronSchedule": "0 0 30 2 *"}, "Invalid cron expression"),
        ({"cronSchedule": "@daily", "timezone": "Mars/Olympus"}, "Invalid timezone"),
        ({"timezone": "../etc"}, "Invalid timezone"),
        ({"result": "text"}, "Invalid parameters"),
        ({"scheduleActive": "yes"}, "Invalid parameters"),
    ],
)
async def test_a_bad_patch_is_refused_and_changes_nothing(
    api: Api, patch: dict[str, Any], error: str
) -> None:
    await planned(api, "d1")
    before = await api.log.last_seq()

    answer = await api.patch("/api/v1/dags/d1", patch | {"dagTitle": "New"})

    assert (answer.status, answer.json["error"]) == (400, error)
    assert await api.log.last_seq() == before


@pytest.mark.parametrize("path", ["/api/v1/dags/d1", "/api/v1/dag/d1"])
async def test_a_deleted_dag_is_gone(api: Api, path: str) -> None:
    await planned(api, "d1")

    answer = await api.delete(path)

    assert (answer.status, answer.json) == (200, {"message": "DAG deleted successfully", "dagId": "d1"})
    assert (await api.get("/api/v1/dags/d1")).status == 404
    assert (await api.delete(path)).status == 404


async def test_a_change_that_cannot_be_shown_yet_is_not_called_missing(start_gateway: StartGateway) -> None:
    api = await start_gateway(projector=False, views_wait_s=0)
    async with Database.open(api.gateway.settings.views_file):
        await transact(api.log, DAG, "dag_1", lambda _: [dag.Imported(job=job(), title="T")], ORIGIN)
        answer = await api.patch("/api/v1/dags/dag_1", {"dagTitle": "Better"})
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "is changed, but this is not visible yet" in answer.json["error"]


async def test_a_dag_is_not_deleted_while_it_is_unknown_whether_it_has_executions(
    start_gateway: StartGateway,
) -> None:
    api = await start_gateway(projector=False, views_wait_s=0)
    async with Database.open(api.gateway.settings.views_file):
        await transact(api.log, DAG, "dag_1", lambda _: [dag.Imported(job=job(), title="T")], ORIGIN)
        answer = await api.delete("/api/v1/dags/dag_1")
    assert answer.status == 503
    assert "delete it again" in answer.json["error"]
    assert [one.commit.state for one in await api.log.read("dag", "dag_1")] == ["planned"]


async def test_a_dag_with_executions_cannot_be_deleted(api: Api) -> None:
    await planned(api, "d1")
    for run_id in ("e1", "e2"):
        await api.write(RUN, run_id, run.Requested(dag_id="d1", original_request="do it", job=job()))

    answer = await api.delete("/api/v1/dags/d1")

    assert answer.status == 409
    assert answer.json == {
        "error": "Cannot delete DAG: 2 execution(s) exist for this DAG",
        "dagId": "d1",
        "executionCount": 2,
    }


async def test_executions_of_a_dag_are_listed_newest_first(api: Api) -> None:
    await planned(api, "d1")
    await planned(api, "d2")
    for run_id, dag_id in (("e1", "d1"), ("e2", "d1"), ("other", "d2")):
        await api.write(RUN, run_id, run.Requested(dag_id=dag_id, original_request="do it", job=job()))
    await api.write(RUN, "e1", run.Suspended(reason="no"))

    listed = (await api.get("/api/v1/dags/d1/executions")).json
    suspended = (await api.get("/api/v1/dags/d1/executions?status=suspended&limit=500")).json

    assert [row["id"] for row in listed["executions"]] == ["e2", "e1"]
    assert "dagTitle" not in listed["executions"][0]
    assert (listed["total"], listed["limit"], listed["offset"]) == (2, 50, 0)
    assert listed["pagination"] == {"limit": 50, "offset": 0, "count": 2, "total": 2}
    assert [row["id"] for row in suspended["executions"]] == ["e1"]
    refused = await api.get("/api/v1/dags/d1/executions?status=odd")
    assert (refused.status, refused.json["error"]) == (400, "Invalid parameters")
