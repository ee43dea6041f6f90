"""Executing DAGs over HTTP, and the records of executions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import TypeAdapter

from contracts import agent, dag, run
from contracts.agent import AGENT
from contracts.api.executions import ExecutionDetail, ExecutionList, SubStepRow
from contracts.awaited import plan_id
from contracts.dag import DAG
from contracts.event import Json, Usage
from contracts.plan import Job
from contracts.run import RUN
from contracts.runtime.stream import Origin, transact
from contracts.scheduling import Schedule
from contracts.steps import SYNTHESIS
from contracts.tool import Effect, ToolSpec
from tests.services.gateway.shared import UNKNOWN_IDS

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WRITE_FILE = ToolSpec(
    name="writeFile",
    description="writes",
    parameters={
        "type": "object",
        "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["path", "content"],
        "additionalProperties": False,
    },
    effect=Effect.IDEMPOTENT,
)


def task(task_id: str, *dependencies: str, **changes: Any) -> dict[str, Any]:
    given = {
        "id": task_id,
        "description": f"write {task_id}",
        "thought": "needed",
        "action_type": "tool",
        "tool_or_prompt": {"name": "writeFile", "params": {"path": "a.md", "content": "x"}},
        "expected_output": "a file",
        "dependencies": list(dependencies) or ["none"],
    }
    return given | changes


def inference(task_id: str, *dependencies: str) -> dict[str, Any]:
    call = {"name": "inference", "params": {"prompt": "think"}}
    return task(task_id, *dependencies, action_type="inference", tool_or_prompt=call)


def job(*tasks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    given = {
        "original_request": "do it",
        "intent": {"primary": "do", "sub_intents": []},
        "entities": [],
        "sub_tasks": list(tasks) or [task("001")],
        "synthesis_plan": "",
        "validation": {"coverage": "high"},
    }
    return given | changes


def requested(*tasks: dict[str, Any]) -> run.Requested:
    plan = Job.model_validate(job(*tasks))
    return run.Requested(dag_id="d1", dag_title="A title", original_request="do it", job=plan)


STARTED = run.Started(executor="e", at=NOW, synthesis="merge")


def done(step: str, result: Json, **changes: Any) -> run.StepCompleted:
    return run.StepCompleted(step=step, result=result, duration_ms=5, **changes)


@pytest.fixture
def api(api: Any) -> Any:
    """A gateway that knows one tool."""
    api.gateway.catalogue.add(WRITE_FILE)
    return api


async def suspended(api: Any, run_id: str, *tasks: dict[str, Any]) -> None:
    """A run whose first step has failed."""
    await api.write(RUN, run_id, requested(*tasks))
    await api.write(RUN, run_id, STARTED, run.StepsStarted(steps=("001",)))
    failed = run.StepFailed(step="001", attempt=1, error="no such file")
    await api.write(RUN, run_id, failed, run.Suspended(reason="no such file"))


async def completed(api: Any, run_id: str) -> None:
    """A run of a tool step and an inference."""
    usage = Usage(prompt_tokens=11, completion_tokens=7)
    await api.write(RUN, run_id, requested(task("001"), inference("002", "001")))
    await api.write(RUN, run_id, STARTED, run.StepsStarted(steps=("001",)))
    await api.write(RUN, run_id, done("001", {"path": "a.md"}), run.StepsStarted(steps=("002",)))
    await api.write(RUN, run_id, done("002", "thought", usage=usage, cost_usd="0.0012", model="m"))
    end = run.Completed(completed_steps=2, duration_ms=58)
    await api.write(RUN, run_id, done(SYNTHESIS, "the report", usage=usage), end)


# ── execute ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_planned_dag_is_executed(api: Any) -> None:
    await api.write(DAG, "d1", dag.Requested(goal_text="the goal", agent_name="P"))
    await api.write(
        DAG, "d1", dag.Planned(job=Job.model_validate(job(task("001"), task("002", "001"))), title="T")
    )

    answer = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    execution_id = answer.json["executionId"]
    assert answer.status == 202
    assert answer.json == {
        "status": "started",
        "executionId": execution_id,
        "dagId": "d1",
        "originalRequest": "the goal",
        "totalTasks": 2,
        "message": "DAG execution started. Connect to SSE stream for live updates.",
    }
    assert execution_id.startswith("dag-exec_")
    (recorded,) = await api.log.read("run", execution_id)
    assert recorded.commit.state == "pending"
    shown = (await api.get(f"/api/v1/dag-executions/{execution_id}")).json
    assert (shown["status"], shown["dagTitle"], shown["trigger"]) == ("pending", "T", "api")


async def test_dag_run_is_the_same_as_execute_dag(api: Any) -> None:
    await api.write(DAG, "d1", dag.Imported(job=Job.model_validate(job())))

    answer = await api.post("/api/v1/dag-run", {"dagId": "d1"})

    assert (answer.status, answer.json["status"]) == (202, "started")


@pytest.mark.parametrize("wrap", [lambda whole: whole, lambda whole: {"job": whole, "dagTitle": "T"}])
async def test_a_whole_job_becomes_a_dag_and_is_executed(api: Any, wrap: Any) -> None:
    answer = await api.post("/api/v1/execute-dag", wrap(job(task("001"), original_request="my job")))

    assert (answer.status, answer.json["originalRequest"]) == (202, "my job")
    stored = (await api.get(f"/api/v1/dags/{answer.json['dagId']}")).json
    assert (stored["status"], stored["result"]["sub_tasks"][0]["id"]) == ("success", "001")
    assert stored["dagTitle"] == wrap({}).get("dagTitle")


@pytest.mark.parametrize(
    ("schedule", "shown_date"),
    [
        (None, "1/1/2026, 12:00:00 PM"),
        (Schedule(cron="", timezone="Asia/Kolkata"), "1/1/2026, 5:30:00 PM"),
    ],
)
async def test_the_date_of_the_execution_is_filled_in_in_the_time_zone_of_the_dag(
    api: Any, schedule: Schedule | None, shown_date: str
) -> None:
    api.gateway.clock = lambda: NOW
    call = {"name": "writeFile", "params": {"path": "{{today}}.md", "content": "{{currentDate}}"}}
    plan = Job.model_validate(job(task("001", tool_or_prompt=call)))
    await api.write(DAG, "d1", dag.Imported(job=plan), dag.ScheduleSet(schedule=schedule))

    answer = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    shown = (await api.get(f"/api/v1/dag-executions/{answer.json['executionId']}")).json
    params = shown["subSteps"][0]["toolOrPromptParams"]
    assert params == {"path": f"{shown_date}.md", "content": shown_date}


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ({}, ["dagId"], "Required"),
        ({"dagId": ""}, ["dagId"], "String must contain at least 1 character(s)"),
        ({"dagId": 7}, ["dagId"], "Expected string, received number"),
        (job() | {"intent": 1}, ["intent"], None),
        ({"job": {"sub_tasks": []}}, ["job", "original_request"], "Required"),
        (job() | {"sub_tasks": []}, ["sub_tasks"], "there is nothing to do: give at least one sub-task"),
        (job(task("001", "002"), task("002", "001")), ["sub_tasks"], None),
        (job(task("001", "009")), ["sub_tasks", 0, "dependencies", 0], None),
        (job(task("001"), task("1")), ["sub_tasks", 1, "id"], None),
        (job(task("001", tool_or_prompt={"name": "rm"})), ["sub_tasks", 0, "tool_or_prompt", "name"], None),
        ({"job": job(*(task(f"{n}") for n in range(3000)))}, ["job", "sub_tasks"], None),
    ],
)
async def test_what_cannot_be_executed_is_refused_and_nothing_is_written(
    api: Any, body: Json, path: list[Any], message: str | None
) -> None:
    answer = await api.post("/api/v1/execute-dag", body)

    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
    issue = answer.json["validation_errors"][0]
    assert issue["path"] == path
    assert message in (None, issue["message"])
    assert await api.log.last_seq() == 0


async def test_a_job_put_in_place_of_the_plan_is_checked_again(api: Any) -> None:
    await api.write(DAG, "d1", dag.Imported(job=Job.model_validate(job())))
    await api.patch("/api/v1/dags/d1", {"result": {"no": "job"}})

    answer = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
    assert answer.json["validation_errors"][0]["path"] == ["original_request"]


@pytest.mark.parametrize("path", ["/api/v1/execute-dag", "/api/v1/dag-run"])
async def test_an_unknown_dag_cannot_be_executed(api: Any, path: str) -> None:
    for dag_id in UNKNOWN_IDS:
        answer = await api.post(path, {"dagId": dag_id})

        assert (answer.status, answer.json) == (404, {"error": f"DAG with id '{dag_id}' not found"})


async def test_a_dag_that_asks_is_not_executed_but_asks_again(api: Any) -> None:
    asking = Job.model_validate(job(clarification_needed=True, clarification_query="which?"))
    await api.write(DAG, "d1", dag.Requested(goal_text="g", agent_name="P"))
    await api.write(DAG, "d1", dag.ClarificationAsked(query="which?", job=asking))

    answer = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    assert answer.status == 200
    assert answer.json == {
        "status": "clarification_required",
        "dagId": "d1",
        "clarification_query": "which?",
        "validation": {"coverage": "high", "gaps": [], "iteration_triggers": []},
    }


async def test_a_job_that_asks_is_answered_with_its_question_and_is_not_stored(api: Any) -> None:
    answer = await api.post(
        "/api/v1/execute-dag", job(task("001"), clarification_needed=True, clarification_query="which?")
    )

    assert (answer.status, answer.json["clarification_query"]) == (200, "which?")
    assert "dagId" not in answer.json
    assert (await api.get("/api/v1/dags")).json["dags"] == []


async def test_a_dag_without_a_plan_cannot_be_executed(api: Any) -> None:
    await api.write(DAG, "d1", dag.Requested(goal_text="g", agent_name="P"))
    planning = await api.post("/api/v1/execute-dag", {"dagId": "d1"})
    await api.write(DAG, "d1", dag.Rejected(http_status=500, error="no"))
    rejected = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    assert (planning.status, rejected.status) == (409, 409)
    assert "still being planned" in planning.json["error"]
    assert "create another" in rejected.json["error"]


async def test_inference_needs_a_model_and_tools_do_not(api: Any, start_gateway: Any) -> None:
    await api.write(AGENT, "a1", agent.Created(name="inference", version_name="1", prompt_template="p"))
    await api.write(AGENT, "a1", agent.Activated(name="inference"))

    answer = await api.post("/api/v1/execute-dag", job(task("001"), inference("002", "001")))

    assert answer.status == 503
    assert "LLM_PROVIDER" in answer.json["error"]


async def test_a_job_of_tools_waits_for_an_executor_that_tells_its_tools(start_gateway: Any) -> None:
    api = await start_gateway()

    answer = await api.post("/api/v1/execute-dag", job())

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "executor" in answer.json["error"]


# ── resume and cancel ───────────────────────────────────────────────────────────────────────────────────


async def test_a_suspended_execution_is_resumed(api: Any) -> None:
    await suspended(api, "e1")

    answer = await api.post("/api/v1/resume-dag/e1")

    assert answer.status == 202
    assert answer.json == {
        "status": "resumed",
        "executionId": "e1",
        "dagId": "d1",
        "retryCount": 1,
        "message": "DAG execution resumed. Connect to SSE stream for live updates.",
    }
    shown = (await api.get("/api/v1/dag-executions/e1")).json
    assert (shown["status"], shown["retryCount"], shown["suspendedReason"]) == ("pending", 1, None)
    assert shown["lastRetryAt"] is not None


@pytest.mark.parametrize(
    ("event", "status"),
    [(None, "pending"), (STARTED, "running")],
)
async def test_only_a_suspended_execution_can_be_resumed(api: Any, event: Any, status: str) -> None:
    await api.write(RUN, "e1", requested())
    if event:
        await api.write(RUN, "e1", event)

    answer = await api.post("/api/v1/resume-dag/e1")

    assert answer.status == 400
    assert answer.json == {
        "error": f"Cannot resume execution with status '{status}'. "
        "Only 'suspended' or 'failed' executions can be resumed.",
        "currentStatus": status,
    }


async def test_resuming_needs_a_model_when_inferences_are_left(api: Any) -> None:
    await suspended(api, "e1", task("001"), inference("002", "001"))

    assert (await api.post("/api/v1/resume-dag/e1")).status == 503
    assert (await api.get("/api/v1/dag-executions/e1")).json["status"] == "suspended"


OWN_MODEL = {"provider": "ollama", "model": "own"}
THINKING = job(task("001"), inference("002", "001"))


async def with_inference(api: Any, **model: str) -> None:
    """An agent for inferences."""
    made = agent.Created(name="inference", version_name="1", prompt_template="p", **model)
    await api.write(AGENT, "thinker", made)
    await api.write(AGENT, "thinker", agent.Activated(name="inference"))


async def test_an_inference_asks_the_model_of_its_agent_so_none_is_missing(api: Any) -> None:
    await with_inference(api, **OWN_MODEL)
    await suspended(api, "e1", task("001"), inference("002", "001"))

    assert (await api.post("/api/v1/execute-dag", {"job": THINKING})).status == 202
    assert (await api.post("/api/v1/resume-dag/e1")).status == 202


async def test_the_report_of_inferences_needs_no_model_of_the_settings(api: Any) -> None:
    """Without one it is their results, put together."""
    await with_inference(api, **OWN_MODEL)

    answer = await api.post("/api/v1/execute-dag", {"job": THINKING | {"synthesis_plan": "merge"}})

    assert answer.status == 202


async def test_what_waits_for_its_report_only_is_resumed_without_a_model(api: Any) -> None:
    plan = Job.model_validate(job(inference("001"), synthesis_plan="merge"))
    await api.write(RUN, "e1", run.Requested(dag_id="d1", original_request="do it", job=plan))
    await api.write(RUN, "e1", STARTED, run.StepsStarted(steps=("001",)))
    await api.write(RUN, "e1", done("001", "a thought"), run.StepsStarted(steps=(SYNTHESIS,)))
    failed = run.StepFailed(step=SYNTHESIS, attempt=1, error="no model")
    await api.write(RUN, "e1", failed, run.Suspended(reason="no model"))

    assert (await api.post("/api/v1/resume-dag/e1")).status == 202


async def test_an_execution_keeps_the_time_zone_of_its_dag(api: Any) -> None:
    imported = dag.Imported(job=Job.model_validate(job(task("001"))))
    schedule = Schedule(cron="@daily", timezone="Asia/Kolkata")
    await api.write(DAG, "d1", imported, dag.ScheduleSet(schedule=schedule))

    answer = await api.post("/api/v1/execute-dag", {"dagId": "d1"})

    (requested,) = await api.log.read("run", answer.json["executionId"])
    assert requested.commit.events[0].timezone == "Asia/Kolkata"


async def test_resuming_what_was_cancelled_is_refused_in_the_words_of_the_api(api: Any) -> None:
    await api.write(RUN, "e1", requested())
    await api.write(RUN, "e1", run.Cancelled(reason="enough"))

    answer = await api.post("/api/v1/resume-dag/e1")

    shown = (await api.get("/api/v1/dag-executions/e1")).json["status"]
    assert (answer.status, answer.json["currentStatus"]) == (400, shown)
    assert "it was cancelled" in answer.json["error"]


async def test_an_unknown_execution_cannot_be_resumed(api: Any) -> None:
    for execution_id in UNKNOWN_IDS:
        answer = await api.post(f"/api/v1/resume-dag/{quote(execution_id)}")

        assert (answer.status, answer.json) == (
            404,
            {"error": f"Execution with id '{execution_id}' not found"},
        )


async def test_a_cancelled_execution_is_shown_as_failed_and_says_why(api: Any) -> None:
    await api.write(RUN, "e1", requested())
    await api.write(RUN, "e1", STARTED, run.StepsStarted(steps=("001",)))

    answer = await api.post("/api/v1/dag-executions/e1/cancel", {"reason": "enough"})

    assert answer.status == 200
    assert (answer.json["status"], answer.json["cancelledReason"]) == ("failed", "enough")
    assert answer.json["cancelledAt"] is not None
    assert [
        row["id"] for row in (await api.get("/api/v1/dag-executions?status=failed")).json["executions"]
    ] == ["e1"]


async def test_steps_in_progress_of_a_cancelled_execution_are_counted_as_failed(api: Any) -> None:
    waits = run.StepFailed(step="002", attempt=1, error="busy", retry_at=NOW)
    steps = run.StepsStarted(steps=("001", "002", "003"))
    wanted = requested(*(task(id_) for id_ in ("001", "002", "003", "004")))
    await api.write(RUN, "e1", wanted, STARTED, steps, waits, done("003", "x"), at=NOW)

    shown = (await api.post("/api/v1/dag-executions/e1/cancel", {"reason": "enough"})).json

    row = (await api.get("/api/v1/dag-executions/e1")).json
    assert (row["completedTasks"], row["failedTasks"], row["waitingTasks"]) == (1, 2, 0)
    assert (shown["failedTasks"], shown["durationMs"]) == (2, row["durationMs"])
    ended, started = (datetime.fromisoformat(row[key]) for key in ("completedAt", "startedAt"))
    assert row["durationMs"] == (ended - started) / timedelta(milliseconds=1)
    steps_shown = {one["taskId"]: (one["status"], one["error"]) for one in row["subSteps"]}
    assert steps_shown == {
        "001": ("failed", "cancelled: enough"),
        "002": ("failed", "cancelled: enough"),
        "003": ("completed", None),
        "004": ("pending", None),
        SYNTHESIS: ("pending", None),
    }


async def test_an_execution_cancelled_before_it_began_took_no_time(api: Any) -> None:
    await api.write(RUN, "e1", requested())
    await api.post("/api/v1/dag-executions/e1/cancel")
    row = (await api.get("/api/v1/dag-executions/e1")).json
    assert (row["durationMs"], row["failedTasks"], row["startedAt"]) == (0, 0, None)


async def test_cancelling_twice_changes_nothing(api: Any) -> None:
    await api.write(RUN, "e1", requested())

    assert (await api.post("/api/v1/dag-executions/e1/cancel")).status == 200
    before = await api.log.last_seq()
    assert (await api.post("/api/v1/dag-executions/e1/cancel")).status == 200
    assert await api.log.last_seq() == before


async def test_what_has_ended_cannot_be_cancelled(api: Any) -> None:
    await completed(api, "e1")

    answer = await api.post("/api/v1/dag-executions/e1/cancel")

    assert (answer.status, answer.json["currentStatus"]) == (409, "completed")
    assert "nothing left to cancel" in answer.json["error"]


# ── records ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_execution_is_shown_with_its_result_and_what_it_took(api: Any) -> None:
    await completed(api, "e1")

    shown = (await api.get("/api/v1/dag-executions/e1")).json

    expected = {
        "dagTitle": "A title",
        "id": "e1",
        "dagId": "d1",
        "originalRequest": "do it",
        "primaryIntent": "do",
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


async def test_steps_are_shown_in_the_order_of_their_ids_and_the_synthesis_last(api: Any) -> None:
    await api.write(RUN, "e1", requested(task("zeta"), task("alpha"), task("001")))

    shown = (await api.get("/api/v1/dag-executions/e1/sub-steps")).json

    assert shown["executionId"] == "e1"
    assert [step["taskId"] for step in shown["subSteps"]] == ["001", "alpha", "zeta", SYNTHESIS]


async def test_results_of_tools_are_json_in_a_string_and_texts_are_as_they_are(api: Any) -> None:
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


async def test_rows_are_what_the_api_says_they_are(api: Any) -> None:
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


async def test_large_results_are_fetched_from_where_they_are_kept(api: Any) -> None:
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


async def test_a_lost_result_is_told_and_hides_nothing_else(api: Any) -> None:
    await api.write(RUN, "e1", requested())
    kept = await api.blobs.store_if_large("x" * 100_000)
    await api.write(RUN, "e1", STARTED, done("001", kept))
    api.blobs.stored.clear()

    shown = await api.get("/api/v1/dag-executions/e1")

    assert shown.status == 200
    assert shown.json["subSteps"][0]["result"].startswith("(this result is lost: blob")


async def test_executions_are_listed_as_they_last_changed(api: Any) -> None:
    for run_id in ("e1", "e2", "e3"):
        await api.write(RUN, run_id, requested())
    await api.write(RUN, "e1", STARTED)

    listed = (await api.get("/api/v1/dag-executions?limit=2")).json
    running = (await api.get("/api/v1/dag-executions?status=running")).json

    assert [row["id"] for row in listed["executions"]] == ["e1", "e3"]
    assert listed["pagination"] == {"limit": 2, "offset": 0, "count": 2, "total": 3}
    assert [row["id"] for row in running["executions"]] == ["e1"]


async def test_suspended_executions_can_be_listed(api: Any) -> None:
    await suspended(api, "e1")

    (row,) = (await api.get("/api/v1/dag-executions?status=suspended")).json["executions"]

    assert (row["suspendedReason"], row["failedTasks"]) == ("no such file", 1)


@pytest.mark.parametrize("query", ["status=odd", "limit=0", "limit=101", "offset=-1"])
async def test_a_bad_query_is_refused(api: Any, query: str) -> None:
    answer = await api.get(f"/api/v1/dag-executions?{query}")

    assert (answer.status, answer.json["error"]) == (400, "Invalid query parameters")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/sub-steps"), ("GET", "/events"), ("DELETE", ""), ("POST", "/cancel")],
)
async def test_an_unknown_id_is_not_found(api: Any, method: str, path: str) -> None:
    for execution_id in UNKNOWN_IDS:
        answer = await api.call(method, f"/api/v1/dag-executions/{quote(execution_id)}{path}")

        expected = {"error": f"DAG execution with id '{execution_id}' not found"}
        assert (answer.status, answer.json) == (404, expected)


async def test_a_deleted_execution_is_gone_with_its_steps(api: Any) -> None:
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


async def test_deleting_a_running_execution_cancels_it(api: Any) -> None:
    await api.write(RUN, "e1", requested())
    await api.write(RUN, "e1", STARTED)

    assert (await api.delete("/api/v1/dag-executions/e1")).status == 200
    events = (await api.log.read("run", "e1"))[-1].commit.events
    assert [type(event) for event in events] == [run.Cancelled, run.Deleted]


# ── executions that wait for their plan ─────────────────────────────────────────────────────────────────

WAITING = plan_id("e1")


@pytest.fixture
async def waiting(api: Any) -> Any:
    """A gateway with an execution e1 whose plan is being made."""
    await api.write(DAG, WAITING, dag.Requested(goal_text="do it", agent_name="P", run_id="e1"))
    return api


async def planner_asks_for_the_run(api: Any) -> run.State:
    """What the planner does when there is a plan, and what became of it."""
    stream = await transact(
        api.log, RUN, "e1", partial(run.request, wanted=requested()), Origin("/planner/1")
    )
    return stream.state


async def test_an_execution_is_pending_while_its_plan_is_made(waiting: Any) -> None:
    shown = (await waiting.get("/api/v1/dag-executions/e1")).json
    assert (shown["status"], shown["dagId"], shown["subSteps"]) == ("pending", WAITING, [])
    assert (shown["originalRequest"], shown["totalTasks"]) == ("do it", 0)

    await waiting.write(DAG, WAITING, dag.Planned(job=Job.model_validate(job()), title="T"))

    shown = (await waiting.get("/api/v1/dag-executions/e1")).json
    assert (shown["status"], shown["dagTitle"], shown["totalTasks"]) == ("pending", "T", 1)
    assert (await waiting.get("/api/v1/dag-executions/e1/sub-steps")).json["subSteps"] == []


@pytest.mark.parametrize("is_planned", [False, True])
async def test_an_execution_can_be_cancelled_while_its_plan_is_made(waiting: Any, is_planned: bool) -> None:
    if is_planned:
        await waiting.write(DAG, WAITING, dag.Planned(job=Job.model_validate(job())))

    answer = await waiting.post("/api/v1/dag-executions/e1/cancel", {"reason": "enough"})

    assert (answer.status, answer.json["status"]) == (200, "failed")
    assert answer.json["cancelledReason"] == "enough"
    assert (await planner_asks_for_the_run(waiting)).status is run.Status.CANCELLED
    assert (await waiting.post("/api/v1/dag-executions/e1/cancel")).status == 200
    assert (await waiting.get("/api/v1/dag-executions/e1")).json == answer.json | {"subSteps": []}
    assert "it was cancelled" in (await waiting.post("/api/v1/resume-dag/e1")).json["error"]


async def test_an_execution_that_waits_for_its_plan_can_be_deleted(waiting: Any) -> None:
    assert (await waiting.delete("/api/v1/dag-executions/e1")).status == 200

    assert (await planner_asks_for_the_run(waiting)).status is run.Status.DELETED
    assert (await waiting.get("/api/v1/dag-executions/e1")).status == 404
    assert (await waiting.post("/api/v1/dag-executions/e1/cancel")).status == 404
    assert (await waiting.post("/api/v1/resume-dag/e1")).status == 404


async def test_an_execution_without_a_plan_is_not_resumed_yet_or_ever(waiting: Any) -> None:
    early = await waiting.post("/api/v1/resume-dag/e1")
    await waiting.write(DAG, WAITING, dag.Rejected(http_status=500, error="no JSON"))
    late = await waiting.post("/api/v1/resume-dag/e1")

    assert (early.status, early.json["currentStatus"]) == (400, "pending")
    assert (late.status, late.json["currentStatus"]) == (400, "failed")
    assert (await waiting.get("/api/v1/dag-executions/e1")).json["status"] == "failed"
    assert (await waiting.post("/api/v1/dag-executions/e1/cancel")).status == 409


async def test_an_execution_that_waits_for_its_plan_is_no_run_of_a_goal(waiting: Any) -> None:
    assert (await waiting.post("/api/v1/runs/e1/cancel")).status == 404
    assert (await waiting.delete("/api/v1/runs/e1")).status == 404
