"""Executions as they are shown over HTTP, and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from pydantic import TypeAdapter

from contracts.api.executions import ExecutionDetail, ExecutionList, SubStepRow
from contracts.domain import run
from contracts.domain.run import RUN
from contracts.domain.run.steps import SYNTHESIS
from tests.services.gateway.executions.executions import (
    STARTED,
    completed,
    done,
    inference,
    requested,
    suspended,
    task,
)
from tests.services.gateway.shared import UNKNOWN_IDS

if TYPE_CHECKING:
    from tests.services.conftest import Api


async def test_an_execution_is_shown_with_its_result_and_what_it_took(api: Api) -> None:
    await completed(api, "e1")

    shown = (await api.get("/api/v1/dag-executions/e1")).json

    expected = {
        "dagTitle": "A title",
        "id": "e1",
        "dagId": "d1",
        "originalRequest": "do it",
        "primaryIntent": "work",
        "status": "completed",
        "durationMs": 58,
        "totalTasks": 2,
        "completedTasks": 2,
        "failedTasks": 0,
        "waitingTasks": 0,
        "finalResult": "the report",
        "synthesisResult": "the report",
        "suspendedReason": None,
        "suspendedAt": None,
        "retryCount": 0,
        "lastRetryAt": None,
        "totalUsage": {"promptTokens": 22, "completionTokens": 14, "totalTokens": 36},
        "totalCostUsd": "0.0012",
    }
    assert shown | expected == shown
    assert shown["startedAt"] == "2026-01-01T12:00:00.000Z"


async def test_steps_are_shown_in_the_order_of_their_ids_and_the_synthesis_last(api: Api) -> None:
    await api.write(RUN, "e1", requested(task("zeta"), task("alpha"), task("001")))

    shown = (await api.get("/api/v1/dag-executions/e1/sub-steps")).json

    assert shown["executionId"] == "e1"
    assert [step["taskId"] for step in shown["subSteps"]] == ["001", "alpha", "zeta", SYNTHESIS]


async def test_results_of_tools_are_json_in_a_string_and_texts_are_as_they_are(api: Api) -> None:
    await completed(api, "e1")

    tool, thought, synthesis = (await api.get("/api/v1/dag-executions/e1/sub-steps")).json["subSteps"]

    assert tool["result"] == '{"path":"a.md"}'
    assert (tool["usage"], tool["costUsd"], tool["durationMs"], tool["error"]) == (None, None, 5, None)
    assert (tool["toolOrPromptName"], tool["toolOrPromptParams"]) == (
        "writeFile",
        {"path": "a.md", "content": "x"},
    )
    assert thought["result"] == "thought"
    assert (thought["costUsd"], thought["dependencies"]) == ("0.0012", ["001"])
    assert tool["dependencies"] == ["none"]
    assert (synthesis["toolOrPromptName"], synthesis["toolOrPromptParams"]) == (
        "__synthesis__",
        {"taskCount": 2},
    )
    assert (synthesis["dependencies"], synthesis["result"]) == (["001", "002"], "the report")


async def test_a_result_that_was_cut_short_is_shown_as_such(api: Api) -> None:
    await api.write(RUN, "e1", requested(inference("001")))
    begun = run.StepsStarted(steps=("001",))
    await api.write(RUN, "e1", STARTED, begun, done("001", "half", finish_reason="length"))

    step, _ = (await api.get("/api/v1/dag-executions/e1/sub-steps")).json["subSteps"]

    assert (step["status"], step["result"], step["finishReason"]) == ("completed", "half", "length")


async def test_rows_are_what_the_api_says_they_are(api: Api) -> None:
    """Rows are made without the models that describe them; this holds the two together."""
    await completed(api, "e1")

    detail = (await api.get("/api/v1/dag-executions/e1")).json
    listed = (await api.get("/api/v1/dag-executions")).json

    assert list(detail) == list(described(ExecutionDetail))
    assert list(detail["subSteps"][0]) == list(described(SubStepRow))
    assert list(listed) == list(described(ExecutionList))
    assert listed["executions"][0] == {key: value for key, value in detail.items() if key != "subSteps"}


def described(model: type) -> dict[str, Any]:
    properties: dict[str, Any] = TypeAdapter(model).json_schema(mode="serialization")["properties"]
    return properties


async def test_large_results_are_fetched_from_where_they_are_kept(api: Api) -> None:
    text, value = "x" * 100_000, {"rows": ["y" * 100_000]}
    await api.write(RUN, "e1", requested(task("001"), task("002")))
    kept = [await api.blobs.store_if_large(one) for one in (text, value)]
    await api.write(RUN, "e1", STARTED, done("001", kept[0]), done("002", kept[1]))
    await api.write(RUN, "e1", done(SYNTHESIS, kept[0]), run.Completed(completed_steps=2, duration_ms=1))

    shown = (await api.get("/api/v1/dag-executions/e1")).json
    (listed,) = (await api.get("/api/v1/dag-executions")).json["executions"]

    assert [step["result"] for step in shown["subSteps"]] == [
        text,
        '{"rows":["' + "y" * 100_000 + '"]}',
        text,
    ]
    assert shown["finalResult"] == listed["finalResult"] == text


async def test_a_lost_result_is_named_and_everything_else_is_shown(api: Api) -> None:
    await api.write(RUN, "e1", requested())
    kept = await api.blobs.store_if_large("x" * 100_000)
    await api.write(RUN, "e1", STARTED, done("001", kept))
    api.blobs.stored.clear()

    shown = await api.get("/api/v1/dag-executions/e1")

    assert shown.status == 200
    assert shown.json["subSteps"][0]["result"].startswith("(this result is lost: blob")


async def test_executions_are_listed_as_they_last_changed(api: Api) -> None:
    for run_id in ("e1", "e2", "e3"):
        await api.write(RUN, run_id, requested())
    await api.write(RUN, "e1", STARTED)

    listed = (await api.get("/api/v1/dag-executions?limit=2")).json
    running = (await api.get("/api/v1/dag-executions?status=running")).json

    assert [row["id"] for row in listed["executions"]] == ["e1", "e3"]
    assert listed["pagination"] == {"limit": 2, "offset": 0, "count": 2, "total": 3}
    assert [row["id"] for row in running["executions"]] == ["e1"]


async def test_suspended_executions_can_be_listed(api: Api) -> None:
    await suspended(api, "e1")

    (row,) = (await api.get("/api/v1/dag-executions?status=suspended")).json["executions"]

    assert (row["suspendedReason"], row["failedTasks"]) == ("no such file", 1)


@pytest.mark.parametrize("query", ["status=odd", "limit=0", "limit=101", "offset=-1"])
async def test_a_bad_query_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"/api/v1/dag-executions?{query}")

    assert (answer.status, answer.json["error"]) == (400, "Invalid query parameters")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/sub-steps"), ("GET", "/events"), ("DELETE", ""), ("POST", "/cancel")],
)
async def test_an_unknown_id_is_not_found(api: Api, method: str, path: str) -> None:
    for execution_id in UNKNOWN_IDS:
        answer = await api.call(method, f"/api/v1/dag-executions/{quote(execution_id)}{path}")

        expected = {"error": f"DAG execution with id '{execution_id}' not found"}
        assert (answer.status, answer.json) == (404, expected)


async def test_a_deleted_execution_is_gone_with_its_steps(api: Api) -> None:
    await completed(api, "e1")

    answer = await api.delete("/api/v1/dag-executions/e1")

    assert answer.status == 200
    assert answer.json == {
        "message": "DAG execution deleted successfully",
        "executionId": "e1",
        "cascadeInfo": {"relatedSubStepsDeleted": 3},
    }
    assert (await api.get("/api/v1/dag-executions/e1")).status == 404
    assert (await api.delete("/api/v1/dag-executions/e1")).status == 404


async def test_deleting_a_running_execution_cancels_it(api: Api) -> None:
    await api.write(RUN, "e1", requested())
    await api.write(RUN, "e1", STARTED)

    assert (await api.delete("/api/v1/dag-executions/e1")).status == 200
    events = (await api.log.read("run", "e1"))[-1].commit.events
    assert [type(event) for event in events] == [run.Cancelled, run.Deleted]
