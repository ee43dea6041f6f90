"""Runs of goals over HTTP: by an agent's turns and by a plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
import pytest

from contracts import dag, goal, run, webhook
from contracts.api.runs import RunOutputRow, RunRow, RunStepRow, ToolCallRow
from contracts.awaited import plan_id
from contracts.dag import DAG
from contracts.event import Event, Json, Usage
from contracts.goal import GOAL
from contracts.plan import Job
from contracts.run import RUN
from contracts.steps import SYNTHESIS
from contracts.webhook import WEBHOOK
from tests.services.gateway.shared import UNKNOWN_IDS, keys_of

if TYPE_CHECKING:
    from tests.services.conftest import Api

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUNS = "/api/v1/runs"
OBJECTIVE = "Find out what grows here"
USED = Usage(prompt_tokens=11, completion_tokens=7)
STARTED = run.Started(executor="e", at=NOW, synthesis="llm")
GOAL_STARTED = run.GoalStarted(
    executor="e",
    at=NOW,
    agent=run.AgentUsed(id="agent_1", name="A", version_name="2", prompt_template="p"),
    temperature=0.7,
    max_tokens=100,
    remarks=("the tool x is allowed, and there is none of that name",),
)


@pytest.fixture
async def api(api: Api) -> Api:
    """A gateway with one goal."""
    await api.write(GOAL, "goal_1", goal.Created(objective=OBJECTIVE))
    return api


def wanted(goal_id: str = "goal_1", **given: Any) -> run.GoalRequested:
    return run.GoalRequested(goal_id=goal_id, objective=OBJECTIVE, step_budget=5, **given)


def turn(number: int, *calls: run.Call, **given: Any) -> run.TurnTaken:
    finish = "tool_calls" if calls else "stop"
    usual = {"thought": f"thought {number}", "finish_reason": finish, "usage": USED, "cost_usd": "0.0012"}
    return run.TurnTaken(turn=number, calls=calls, duration_ms=30, **{**usual, **given})


def call(name: str, refusal: str | None = None, **arguments: Json) -> run.Call:
    return run.Call(id=f"call_{name}", name=name, arguments=arguments, refusal=refusal)


def answered(turn: int, position: int, result: Json, **given: Any) -> run.CallAnswered:
    return run.CallAnswered(turn=turn, position=position, result=result, duration_ms=5 + position, **given)


WRITE = call("writeFile", path="g.txt", content="zz")
WRITTEN = {"path": "g.txt", "bytesWritten": 2}
FILE = run.Output(kind="file", content="g.txt")


async def pursue(api: Api, run_id: str, *commits: tuple[Event, ...]) -> None:
    """A run by turns that has been started."""
    await api.write(RUN, run_id, wanted())
    await api.write(RUN, run_id, GOAL_STARTED, run.StepsStarted(steps=("1",)))
    for events in commits:
        await api.write(RUN, run_id, *events)


async def completed(api: Api, run_id: str) -> None:
    """A run of two turns, the first with a tool call."""
    summary = run.Summarised(summary="all is done", usage=USED, cost_usd="0.0001")
    await pursue(
        api,
        run_id,
        (turn(1, WRITE, provider="ollama", model="m"), run.StepsStarted(steps=("1.0",))),
        (answered(1, 0, WRITTEN, output=FILE), run.StepsStarted(steps=("2",))),
        (turn(2), run.StepsStarted(steps=("summary",))),
        (summary, run.GoalCompleted(steps_executed=2, duration_ms=9)),
    )


def job() -> Job:
    def task(id_: str, name: str, params: Json, *needs: str) -> dict[str, Any]:
        action = "inference" if name == "inference" else "tool"
        return {
            "id": id_,
            "description": f"do {id_}",
            "thought": "",
            "action_type": action,
            "tool_or_prompt": {"name": name, "params": params},
            "expected_output": "",
            "dependencies": list(needs),
        }

    tasks = [
        task("001", "writeFile", {"path": "a.md", "content": "x"}),
        task("002", "inference", {"prompt": "think"}, "001"),
        task("003", "readFile", {"path": "a.md"}, "002"),
    ]
    intent = {"primary": "", "sub_intents": []}
    return Job.model_validate(
        {
            "original_request": OBJECTIVE,
            "intent": intent,
            "entities": [],
            "sub_tasks": tasks,
            "synthesis_plan": "sum up",
        }
    )


async def planned(api: Api, run_id: str, *commits: tuple[Event, ...]) -> None:
    """A run by a plan: the plan is asked for; if anything is to come, it is made and asked for as a run."""
    asked = dag.Requested(goal_text=OBJECTIVE, agent_name="D", goal_id="goal_1", run_id=run_id)
    await api.write(DAG, plan_id(run_id), asked)
    if commits:
        await api.write(DAG, plan_id(run_id), dag.Planned(job=job()))
        request = run.Requested(
            dag_id=plan_id(run_id), original_request=OBJECTIVE, job=job(), trigger="plan", goal_id="goal_1"
        )
        await api.write(RUN, run_id, request)
        for events in commits:
            await api.write(RUN, run_id, *events)


def done(step: str, result: Json, **given: Any) -> run.StepCompleted:
    return run.StepCompleted(step=step, result=result, duration_ms=5, **given)


async def executed(api: Api, run_id: str) -> None:
    """A run by a plan that has come to its end."""
    report = done(SYNTHESIS, "the report", usage=USED, cost_usd="0.002")
    await planned(
        api,
        run_id,
        (STARTED, run.StepsStarted(steps=("001",))),
        (done("001", {"path": "a.md"}), run.StepsStarted(steps=("002",))),
        (done("002", "thought", usage=USED, cost_usd="0.001", model="m"), run.StepsStarted(steps=("003",))),
        (done("003", {"content": "x"}), run.StepsStarted(steps=(SYNTHESIS,))),
        (report, run.Completed(completed_steps=3, duration_ms=58)),
    )


async def shown(api: Api, path: str) -> Any:
    answer = await api.get(f"{RUNS}/{path}")
    assert answer.status == 200, answer.body
    return answer.json


# ── records: by turns ───────────────────────────────────────────────────────────────────────────────────


async def test_a_pending_run_has_done_nothing(api: Api) -> None:
    await api.write(RUN, "run_1", wanted(schedule_id="sched_1", trigger="schedule"))

    one = await shown(api, "run_1")

    expected: dict[str, Any] = {
        "id": "run_1",
        "goalId": "goal_1",
        "status": "pending",
        "startedAt": None,
        "endedAt": None,
        "completedAt": None,
        "workingMemory": {},
        "stepBudget": 5,
        "stepsExecuted": 0,
        "error": None,
        "strategy": "agent",
        "dagId": None,
        "trigger": "schedule",
        "scheduleId": "sched_1",
        "totalUsage": None,
        "totalCostUsd": None,
    }
    assert one | expected == one
    assert one["goal"] == {
        key: value
        for key, value in (await api.get("/api/v1/goals/goal_1")).json.items()
        if key != "schedules"
    }
    assert await shown(api, "run_1/steps") == await shown(api, "run_1/outputs") == []


async def test_a_completed_run_is_shown_with_what_it_found_and_what_it_took(api: Api) -> None:
    await completed(api, "run_1")

    one = await shown(api, "run_1")

    expected = {
        "status": "completed",
        "startedAt": "2026-01-01T12:00:00.000Z",
        "workingMemory": {"step_1_writeFile_0": WRITTEN, "summary": "all is done"},
        "stepsExecuted": 2,
        "error": None,
        "agentId": "agent_1",
        "agentName": "A",
        "agentVersion": "2",
        "remarks": ["the tool x is allowed, and there is none of that name"],
        "totalUsage": {"promptTokens": 33, "completionTokens": 21, "totalTokens": 54},
        "totalCostUsd": "0.0025",
    }
    assert one | expected == one
    assert one["endedAt"] == one["completedAt"] is not None


async def test_steps_are_turns_with_their_tool_calls(api: Api) -> None:
    await completed(api, "run_1")

    first, last = await shown(api, "run_1/steps")

    assert list(first) == keys_of(RunStepRow)
    assert list(first["toolCalls"][0]) == keys_of(ToolCallRow)
    expected = {
        "runId": "run_1",
        "stepNo": 1,
        "stepNumber": 1,
        "thought": "thought 1",
        "toolName": "writeFile",
        "toolInput": {"path": "g.txt", "content": "zz"},
        "observation": '[writeFile] {\n  "path": "g.txt",\n  "bytesWritten": 2\n}',
        "durationMs": 5,
        "thoughtMs": 30,
        "error": None,
        "type": "tool",
        "content": first["observation"],
        "usage": {"promptTokens": 11, "completionTokens": 7, "totalTokens": 18},
        "costUsd": "0.0012",
        "provider": "ollama",
        "model": "m",
    }
    assert first | expected == first
    assert first["toolCalls"] == [
        {
            "id": "call_writeFile",
            "toolName": "writeFile",
            "toolInput": {"path": "g.txt", "content": "zz"},
            "status": "completed",
            "error": None,
            "durationMs": 5,
        }
    ]
    expected = {
        "stepNo": 2,
        "toolName": None,
        "toolInput": None,
        "observation": None,
        "durationMs": 0,
        "type": "result",
        "content": "thought 2",
        "toolCalls": [],
        "finishReason": "stop",
    }
    assert last | expected == last


async def test_several_calls_of_a_step_are_seen_together_successes_first(api: Api) -> None:
    calls = (call("fetchPage", url="u"), call("readFile", path="a"), call("sendEmail", "not allowed"))
    failed = run.StepFailed(step="1.0", attempt=1, error="HTTP 500")
    await pursue(api, "run_1", (turn(1, *calls),), (answered(1, 1, "text"), failed))

    (step,) = await shown(api, "run_1/steps")

    expected = {
        "toolName": "readFile",
        "toolInput": {"path": "a"},
        "observation": "[readFile] text\n\n[fetchPage] Error: HTTP 500\n\n[sendEmail] Error: not allowed",
        "durationMs": 6,
        "error": None,
        "type": "tool",
    }
    assert step | expected == step
    assert [one["error"] for one in step["toolCalls"]] == ["HTTP 500", None, "not allowed"]
    assert (await shown(api, "run_1"))["workingMemory"] == {"step_1_readFile_1": "text"}


async def test_a_step_failed_only_when_all_its_calls_have(api: Api) -> None:
    failed = run.StepFailed(step="1.0", attempt=1, error="HTTP 500")
    calls = (call("fetchPage"), call("readFile"))
    await pursue(api, "run_1", (turn(1, *calls),), (failed,))

    (going,) = await shown(api, "run_1/steps")
    await api.write(RUN, "run_1", run.StepFailed(step="1.1", attempt=1, error="no such file"))
    (step,) = await shown(api, "run_1/steps")

    assert (going["error"], going["type"]) == (None, "tool")
    assert (step["error"], step["type"], step["content"]) == (
        "HTTP 500; no such file",
        "error",
        "HTTP 500; no such file",
    )
    assert (step["toolName"], step["toolInput"]) == (None, None)


async def test_a_call_in_progress_is_shown_and_has_no_observation_yet(api: Api) -> None:
    await pursue(api, "run_1", (turn(1, WRITE), run.StepsStarted(steps=("1.0",))))

    (step,) = await shown(api, "run_1/steps")

    assert (step["observation"], step["toolName"], step["content"]) == (None, None, "thought 1")
    assert [one["status"] for one in step["toolCalls"]] == ["running"]


async def test_a_thought_that_was_cut_short_is_no_result(api: Api) -> None:
    await pursue(api, "run_1", (turn(1, finish_reason="length"),))

    assert [step["type"] for step in await shown(api, "run_1/steps")] == ["thinking"]


async def test_large_results_are_fetched_for_the_run_and_only_named_in_lists(api: Api) -> None:
    medium, large = "m" * 5000, {"rows": ["y" * 100_000]}
    kept = await api.blobs.store_if_large(large)
    calls = (call("readFile"), call("fetchPage"), call("webSearch"))
    outcomes = (answered(1, 0, medium), answered(1, 1, kept), answered(1, 2, "small"))
    await pursue(api, "run_1", (turn(1, *calls),), outcomes)

    one = await shown(api, "run_1")
    (step,) = await shown(api, "run_1/steps")
    (listed,) = (await api.get(RUNS)).json

    assert one["workingMemory"] == {
        "step_1_readFile_0": medium,
        "step_1_fetchPage_1": large,
        "step_1_webSearch_2": "small",
    }
    assert "y" * 100_000 in step["observation"]
    assert listed["workingMemory"]["step_1_webSearch_2"] == "small"
    assert "get the run itself" in listed["workingMemory"]["step_1_readFile_0"]
    assert "get the run itself" in listed["workingMemory"]["step_1_fetchPage_1"]


async def test_a_lost_result_is_told_and_hides_nothing_else(api: Api) -> None:
    kept = await api.blobs.store_if_large("x" * 100_000)
    await pursue(api, "run_1", (turn(1, call("readFile")),), (answered(1, 0, kept),))
    api.blobs.stored.clear()

    one, (step,) = await shown(api, "run_1"), await shown(api, "run_1/steps")

    assert one["workingMemory"]["step_1_readFile_0"].startswith("(this result is lost")
    assert "this result is lost" in step["observation"]


async def test_outputs_are_what_a_run_has_left_outside(api: Api) -> None:
    await completed(api, "run_1")
    await api.write(WEBHOOK, "run_1", webhook.Delivered(url="http://x", attempt=1, status=204))

    rows = await shown(api, "run_1/outputs")

    assert list(rows[0]) == keys_of(RunOutputRow)
    assert {row["runId"] for row in rows} == {"run_1"}
    assert len({row["id"] for row in rows}) == 3
    assert [(row["kind"], row["pathOrPayload"]) for row in rows[:2]] == [
        ("file", "g.txt"),
        ("summary", "all is done"),
    ]
    assert rows[2]["kind"] == "webhook"
    assert orjson.loads(rows[2]["pathOrPayload"]) == {"url": "http://x", "status": 204, "success": True}


async def test_a_failed_run_says_why(api: Api) -> None:
    await pursue(api, "run_1", (run.Failed(error="no model answered"),))

    one = await shown(api, "run_1")

    assert (one["status"], one["error"]) == ("failed", "no model answered")
    assert one["completedAt"] is not None


# ── records: by a plan ──────────────────────────────────────────────────────────────────────────────────


async def test_a_run_by_a_plan_is_pending_while_the_plan_is_made(api: Api) -> None:
    await planned(api, "run_1")

    one = await shown(api, "run_1")

    expected = {"status": "pending", "strategy": "dag", "dagId": plan_id("run_1"), "stepBudget": 0}
    assert one | expected == one
    assert await shown(api, "run_1/steps") == await shown(api, "run_1/outputs") == []


async def test_the_making_of_its_plan_counts_for_a_run_from_the_first_attempt_on(api: Api) -> None:
    attempt = dag.AttemptMade(attempt=1, reason="initial", usage=USED, cost_usd="0.01")
    await planned(api, "run_1")
    await api.write(DAG, plan_id("run_1"), attempt)

    planning = await shown(api, "run_1")

    assert (planning["totalUsage"]["totalTokens"], planning["totalCostUsd"]) == (USED.total_tokens, "0.01")

    await executed(api, "run_2")
    await api.write(DAG, plan_id("run_2"), attempt)
    whole = await shown(api, "run_2")

    assert (whole["totalUsage"]["totalTokens"], whole["totalCostUsd"]) == (3 * USED.total_tokens, "0.013")
    listed = {one["id"]: one["totalCostUsd"] for one in (await api.get(RUNS)).json}
    assert listed == {"run_1": "0.01", "run_2": "0.013"}


async def test_a_run_by_a_plan_is_shown_as_a_run_and_as_an_execution(api: Api) -> None:
    await executed(api, "run_1")

    one = await shown(api, "run_1")
    execution = (await api.get("/api/v1/dag-executions/run_1")).json

    expected = {
        "status": "completed",
        "strategy": "dag",
        "dagId": plan_id("run_1"),
        "stepBudget": 3,
        "stepsExecuted": 3,
        "workingMemory": {"summary": "the report"},
        "startedAt": "2026-01-01T12:00:00.000Z",
        "totalUsage": {"promptTokens": 22, "completionTokens": 14, "totalTokens": 36},
        "totalCostUsd": "0.003",
    }
    assert one | expected == one
    assert (execution["finalResult"], execution["dagId"]) == ("the report", plan_id("run_1"))
    assert [row["id"] for row in (await api.get(RUNS)).json] == ["run_1"]
    assert (one["completedAt"], one["seq"]) == (execution["completedAt"], execution["seq"])


async def test_steps_of_a_plan_are_steps_of_the_run(api: Api) -> None:
    await executed(api, "run_1")

    steps = await shown(api, "run_1/steps")

    assert [list(step) for step in steps] == [keys_of(RunStepRow)] * 4
    assert [(step["stepNo"], step["type"], step["toolName"]) for step in steps] == [
        (1, "tool", "writeFile"),
        (2, "thinking", None),
        (3, "tool", "readFile"),
        (4, "result", None),
    ]
    assert [step["observation"] for step in steps] == [
        '{"path":"a.md"}',
        "thought",
        '{"content":"x"}',
        "the report",
    ]
    assert (steps[0]["thought"], steps[0]["toolInput"]) == ("do 001", {"path": "a.md", "content": "x"})
    assert (steps[1]["costUsd"], steps[1]["model"]) == ("0.001", "m")


async def test_of_a_plan_only_steps_that_were_started_are_shown(api: Api) -> None:
    failed = run.StepFailed(step="001", attempt=1, error="no such file")
    await planned(api, "run_1", (STARTED, run.StepsStarted(steps=("001",))), (failed,))

    (step,) = await shown(api, "run_1/steps")

    assert (step["type"], step["error"], step["content"]) == ("error", "no such file", "no such file")


async def test_outputs_of_a_plan_are_those_of_its_steps_and_its_report(api: Api) -> None:
    await executed(api, "run_1")
    delivered = webhook.AttemptFailed(url="http://x", attempt=3, error="HTTP 500")
    await api.write(WEBHOOK, "run_1", delivered)

    rows = await shown(api, "run_1/outputs")

    assert [(row["kind"], row["pathOrPayload"]) for row in rows[:2]] == [
        ("file", "a.md"),
        ("summary", "the report"),
    ]
    assert (rows[2]["kind"], orjson.loads(rows[2]["pathOrPayload"])["success"]) == ("webhook", False)
    assert len({row["id"] for row in rows}) == 3


async def test_a_run_without_a_plan_has_failed(api: Api) -> None:
    await planned(api, "run_1")
    await api.write(DAG, plan_id("run_1"), dag.Rejected(http_status=500, error="no plan can be read"))

    one = await shown(api, "run_1")

    assert (one["status"], one["error"]) == ("failed", "no plan can be read")
    assert one["completedAt"] is not None


async def test_a_suspended_run_is_failed_until_it_is_resumed(api: Api) -> None:
    failed = run.StepFailed(step="001", attempt=1, error="no such file")
    begun = (STARTED, run.StepsStarted(steps=("001",)))
    await planned(api, "run_1", begun, (failed, run.Suspended(reason="no such file")))

    suspended = await shown(api, "run_1")
    await api.write(RUN, "run_1", run.Resumed())
    pending = await shown(api, "run_1")

    assert (suspended["status"], suspended["error"]) == ("failed", "no such file")
    assert suspended["completedAt"] is not None
    assert (pending["status"], pending["error"], pending["completedAt"]) == ("pending", None, None)


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_runs_are_listed_newest_first_each_with_its_goal(api: Api) -> None:
    await api.write(GOAL, "goal_2", goal.Created(objective="Another thing to do"))
    await completed(api, "run_1")
    await executed(api, "run_2")
    await api.write(RUN, "run_3", wanted("goal_2"))

    rows = (await api.get(RUNS)).json
    of_goal = (await api.get(f"{RUNS}?goalId=goal_1")).json

    assert [row["id"] for row in rows] == ["run_3", "run_2", "run_1"]
    assert [list(row) for row in rows] == [keys_of(RunRow)] * 3
    assert [row["goal"]["objective"] for row in rows] == ["Another thing to do", OBJECTIVE, OBJECTIVE]
    assert [row["id"] for row in of_goal] == ["run_2", "run_1"]
    assert rows[1:] == [await shown(api, "run_2"), await shown(api, "run_1")]


async def test_runs_are_listed_by_status_as_they_are_shown(api: Api) -> None:
    await completed(api, "run_completed")
    await pursue(api, "run_failed", (run.Failed(error="no"),))
    await pursue(api, "run_cancelled", (run.Cancelled(reason="no"),))
    await pursue(api, "run_running")
    await api.write(RUN, "run_pending", wanted())
    await executed(api, "run_executed")
    begun = (STARTED, run.StepsStarted(steps=("001",)))
    await planned(api, "run_suspended", begun, (run.Suspended(reason="no"),))
    await planned(api, "run_executing", begun)
    await planned(api, "run_planning")

    async def ids(status: str) -> set[str]:
        rows = (await api.get(f"{RUNS}?status={status}")).json
        assert {row["status"] for row in rows} <= {status}
        return {row["id"].removeprefix("run_") for row in rows}

    assert await ids("pending") == {"pending", "planning"}
    assert await ids("running") == {"running", "executing"}
    assert await ids("completed") == {"completed", "executed"}
    assert await ids("failed") == {"failed", "cancelled", "suspended"}
    assert await ids("cancelled") == await ids("suspended") == await ids("odd") == set()
    assert [row["id"] for row in (await api.get(f"{RUNS}?status=running&goalId=other")).json] == []


async def test_fifty_runs_are_listed_unless_another_part_is_asked_for(api: Api) -> None:
    for number in range(52):
        await api.write(RUN, f"run_{number:02}", wanted())

    async def ids(query: str) -> list[str]:
        return [row["id"] for row in (await api.get(RUNS + query)).json]

    newest_first = [f"run_{number:02}" for number in reversed(range(52))]
    assert await ids("") == newest_first[:50]
    assert await ids("?limit=100") == newest_first
    assert await ids("?limit=2&offset=51") == ["run_00"]
    assert await ids("?offset=52") == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "offset=-1", "limit=x", "goalId=a&goalId=b"])
async def test_a_bad_query_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"{RUNS}?{query}")

    assert (answer.status, answer.json["error"]) == (400, "Invalid query parameters")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/steps"),
        ("GET", "/outputs"),
        ("GET", "/events"),
        ("DELETE", ""),
        ("POST", "/cancel"),
    ],
)
async def test_an_unknown_id_is_not_found(api: Api, method: str, path: str) -> None:
    request = run.Requested(dag_id="d1", original_request="do it", job=job())
    await api.write(RUN, "dag-exec_1", request)
    for run_id in (*UNKNOWN_IDS, "dag-exec_1"):
        answer = await api.call(method, f"{RUNS}/{quote(run_id)}{path}")

        assert (answer.status, answer.json) == (404, {"error": "Run not found"})
    assert len(await api.log.read("run", "dag-exec_1")) == 1


# ── cancel ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_cancelled_run_is_shown_as_failed_and_says_why(api: Api) -> None:
    await pursue(api, "run_1", (turn(1, WRITE), run.StepsStarted(steps=("1.0",))))

    answer = await api.post(f"{RUNS}/run_1/cancel", {"reason": "enough"})

    expected = {"id": "run_1", "status": "failed", "error": "cancelled: enough", "cancelledReason": "enough"}
    assert answer.status == 200
    assert answer.json | expected == answer.json
    (step,) = await shown(api, "run_1/steps")
    assert [one["status"] for one in step["toolCalls"]] == ["failed"]


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"headers": {"Content-Type": "application/json"}}])
async def test_cancelling_needs_no_reason_and_twice_changes_nothing(api: Api, options: Any) -> None:
    await pursue(api, "run_1")

    first = await api.call("POST", f"{RUNS}/run_1/cancel", **options)
    before = await api.log.last_seq()
    second = await api.call("POST", f"{RUNS}/run_1/cancel", **options)

    assert (first.status, second.status) == (200, 200)
    assert first.json == second.json
    assert await api.log.last_seq() == before


async def test_what_has_ended_cannot_be_cancelled(api: Api) -> None:
    await completed(api, "run_1")
    await pursue(api, "run_2", (run.Failed(error="no"),))
    await planned(api, "run_3")
    await api.write(DAG, plan_id("run_3"), dag.Rejected(http_status=500, error="no"))

    for run_id, status in (("run_1", "completed"), ("run_2", "failed"), ("run_3", "failed")):
        answer = await api.post(f"{RUNS}/{run_id}/cancel")

        assert (answer.status, answer.json["currentStatus"]) == (409, status)
        assert "nothing left to cancel" in answer.json["error"]


@pytest.mark.parametrize("reason", ["", "x" * 1001, 5, None])
async def test_a_bad_reason_is_refused(api: Api, reason: Any) -> None:
    await pursue(api, "run_1")

    answer = await api.post(f"{RUNS}/run_1/cancel", {"reason": reason})

    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
    assert (await shown(api, "run_1"))["status"] == "running"


async def test_a_run_that_waits_for_its_plan_never_begins_once_it_is_cancelled(api: Api) -> None:
    await planned(api, "run_1")

    answer = await api.post(f"{RUNS}/run_1/cancel", {"reason": "enough"})
    again = await api.post(f"{RUNS}/run_1/cancel")

    assert (answer.status, answer.json["status"], answer.json["error"]) == (
        200,
        "failed",
        "cancelled: enough",
    )
    assert again.json == answer.json
    assert (await api.log.read("dag", plan_id("run_1")))[-1].commit.state == "rejected"
    late = run.Requested(dag_id="d", original_request="g", job=job(), goal_id="goal_1")
    state = RUN.fold(event for one in await api.log.read("run", "run_1") for event in one.commit.events)
    assert run.request(state, late) == []


async def test_an_execution_is_cancelled_as_the_run_that_it_is(api: Api) -> None:
    await planned(api, "run_1", (STARTED, run.StepsStarted(steps=("001",))))

    answer = await api.post(f"{RUNS}/run_1/cancel", {"reason": "enough"})

    assert (answer.status, answer.json["status"], answer.json["error"]) == (
        200,
        "failed",
        "cancelled: enough",
    )
    assert (await api.get("/api/v1/dag-executions/run_1")).json["cancelledReason"] == "enough"
    assert (await api.log.read("dag", plan_id("run_1")))[-1].commit.state == "planned"


# ── delete ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("make", [completed, executed])
async def test_a_deleted_run_is_gone_with_its_steps(api: Api, make: Any) -> None:
    await make(api, "run_1")

    answer = await api.delete(f"{RUNS}/run_1")

    assert (answer.status, answer.body) == (204, b"")
    for path in ("run_1", "run_1/steps", "run_1/outputs"):
        assert (await api.get(f"{RUNS}/{path}")).status == 404
    assert (await api.get(RUNS)).json == []
    again = await api.delete(f"{RUNS}/run_1")
    assert (again.status, again.json) == (404, {"error": "Run not found"})


async def test_deleting_a_run_that_is_going_on_cancels_it(api: Api) -> None:
    await pursue(api, "run_1")

    assert (await api.delete(f"{RUNS}/run_1")).status == 204
    events = (await api.log.read("run", "run_1"))[-1].commit.events
    assert [type(event) for event in events] == [run.Cancelled, run.Deleted]


@pytest.mark.parametrize("rejected", [False, True])
async def test_a_run_that_waits_for_its_plan_can_be_deleted_and_never_begins(
    api: Api, rejected: bool
) -> None:
    await planned(api, "run_1")
    if rejected:
        await api.write(DAG, plan_id("run_1"), dag.Rejected(http_status=500, error="no"))

    assert (await api.delete(f"{RUNS}/run_1")).status == 204

    assert (await api.get(f"{RUNS}/run_1")).status == 404
    assert (await api.delete(f"{RUNS}/run_1")).status == 404
    assert (await api.log.read("dag", plan_id("run_1")))[-1].commit.state == "rejected"
    assert (await api.log.read("run", "run_1"))[-1].commit.state == "deleted"


# ── runs by turns are no executions ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "dag-executions/run_1"),
        ("GET", "dag-executions/run_1/events"),
        ("POST", "dag-executions/run_1/cancel"),
        ("DELETE", "dag-executions/run_1"),
        ("POST", "resume-dag/run_1"),
    ],
)
async def test_a_run_by_turns_is_no_execution(api: Api, method: str, path: str) -> None:
    await pursue(api, "run_1")
    before = await api.log.last_seq()

    assert (await api.call(method, f"/api/v1/{path}")).status == 404
    assert await api.log.last_seq() == before
