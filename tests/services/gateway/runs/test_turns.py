"""Runs by an agent's turns, as they are shown over HTTP."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from contracts.api.runs import RunOutputRow, RunStepRow, ToolCallRow
from contracts.domain import run, webhook
from contracts.domain.run import RUN
from contracts.domain.webhook import WEBHOOK
from tests.services.gateway.runs.runs import (
    RUNS,
    WRITE,
    WRITTEN,
    answered,
    call,
    completed,
    pursue,
    shown,
    turn,
    wanted,
)
from tests.services.gateway.shared import keys_of

if TYPE_CHECKING:
    from tests.services.conftest import Api


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
        "remarks": ["the tool x is allowed but does not exist"],
        "totalUsage": {"promptTokens": 33, "completionTokens": 21, "totalTokens": 54},
        "totalCostUsd": "0.0025",
        "outcomeReason": "done",
    }
    assert one | expected == one
    assert one["endedAt"] == one["completedAt"] is not None


async def test_the_costs_of_the_steps_and_the_other_costs_add_up_to_the_total(api: Api) -> None:
    await completed(api, "run_1")

    one, steps = await shown(api, "run_1"), await shown(api, "run_1/steps")

    parts = [step["costUsd"] for step in steps] + [one["otherCostUsd"]]
    assert sum(map(Decimal, parts)) == Decimal(one["totalCostUsd"])


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
            "outward": None,
            "inherited": None,
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


async def test_a_thought_that_was_cut_short_is_not_a_result(api: Api) -> None:
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


async def test_a_lost_result_is_named_and_everything_else_is_shown(api: Api) -> None:
    kept = await api.blobs.store_if_large("x" * 100_000)
    await pursue(api, "run_1", (turn(1, call("readFile")),), (answered(1, 0, kept),))
    api.blobs.stored.clear()

    one, (step,) = await shown(api, "run_1"), await shown(api, "run_1/steps")

    assert one["workingMemory"]["step_1_readFile_0"].startswith("(this result is lost")
    assert "this result is lost" in step["observation"]


async def test_outputs_are_what_a_run_changed_outside(api: Api) -> None:
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


async def test_a_completed_run_with_failed_calls_says_how_many_and_which_was_the_last(api: Api) -> None:
    refused = call("sendEmail", refusal="not allowed")
    await pursue(
        api,
        "run_1",
        (turn(1, refused, WRITE), run.StepsStarted(steps=("1.1",))),
        (run.StepFailed(step="1.1", attempt=1, error="disk full"), run.StepsStarted(steps=("2",))),
        (turn(2), run.Summarised(summary="done"), run.Completed(completed_steps=2, duration_ms=9)),
    )

    one = await shown(api, "run_1")

    error = "2 tool calls failed, the last one: writeFile: disk full"
    assert (one["status"], one["failedCalls"], one["error"]) == ("completed", 2, error)
    assert [row["failedCalls"] for row in (await api.get(RUNS)).json] == [2]
