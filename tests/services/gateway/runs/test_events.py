"""Watching runs of goals over HTTP: by an agent's turns, by a plan, and while the plan is made."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.event import Event
from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_id
from tests import jobs
from tests.services.gateway.runs.runs import OBJECTIVE, wanted
from tests.services.gateway.watching import StreamEvent, Watcher, watching_path

if TYPE_CHECKING:
    from tests.services.conftest import Api

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
EXECUTED = run.Started(executor="e", at=NOW, synthesis="merge")
GOAL_STARTED = run.GoalStarted(
    executor="e",
    at=NOW,
    agent=run.AgentUsed(name="A", version_name="2", prompt_template="p"),
    tools=("readFile",),
    temperature=0.7,
    max_tokens=100,
)
WANTED = wanted()


@asynccontextmanager
async def watching(api: Api, **headers: str) -> AsyncGenerator[Watcher]:
    async with watching_path(api, "/api/v1/runs/run_1/events", **headers) as client:
        assert client.status == 200
        yield client


def fields(told: StreamEvent) -> dict[str, Any]:
    """Its data without what all events have."""
    assert (told.data["runId"], type(told.data["timestamp"])) == ("run_1", int)
    return {key: told.data[key] for key in told.data if key not in {"type", "runId", "timestamp"}}


async def write(api: Api, *commits: tuple[Event, ...]) -> None:
    for events in commits:
        await api.write(RUN, "run_1", *events)


def turn(number: int, *calls: run.Call) -> run.TurnTaken:
    finish = "tool_calls" if calls else "stop"
    return run.TurnTaken(turn=number, thought=f"thought {number}", calls=calls, finish_reason=finish)


def steps(*ids: str) -> run.StepsStarted:
    return run.StepsStarted(steps=ids)


READ = run.Call(id="c", name="readFile", arguments={"path": "a"})
REFUSED = run.Call(id="d", name="sendEmail", refusal="not allowed")
TURNS: tuple[tuple[Event, ...], ...] = (
    (GOAL_STARTED, steps("1")),
    (turn(1, READ, REFUSED), steps("1.0")),
    (run.CallAnswered(turn=1, position=0, result={"text": "x"}, duration_ms=5), steps("2")),
    (turn(2), steps("summary")),
    (
        run.Summarised(summary="all is done"),
        run.Completed(completed_steps=2, duration_ms=9, outcome_reason="truncated"),
    ),
)


def job() -> Job:
    return jobs.job(jobs.task("002"), jobs.task("001"))


ASKED = dag.Requested(goal_text=OBJECTIVE, agent_name="D", goal_id="goal_1", run_id="run_1")
REQUESTED = run.Requested(
    dag_id=plan_id("run_1"), original_request=OBJECTIVE, job=job(), trigger="plan", goal_id="goal_1"
)


async def write_plan(api: Api, *events: Event) -> None:
    await api.write(DAG, plan_id("run_1"), *events)


# ── by turns ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_has_the_events_of_a_run_by_turns_from_the_first_step_to_the_summary(api: Api) -> None:
    await write(api, (WANTED,))
    async with watching(api) as client:
        first = await client.next()
        await write(api, *TURNS)
        told = await client.until("run.completed")

    assert (first.event, fields(first)) == (
        "run.updated",
        {"status": "pending", "stepsExecuted": 0, "stepBudget": 5},
    )
    headline = {"goalId": "goal_1", "objective": OBJECTIVE, "strategy": "agent", "stepBudget": 5}
    call = {"stepNo": 1, "position": 0, "toolName": "readFile"}
    calls = [
        {"position": 0, "toolName": "readFile", "toolInput": {"path": "a"}, "error": None},
        {"position": 1, "toolName": "sendEmail", "toolInput": {}, "error": "not allowed"},
    ]
    running = {"status": "running", "stepBudget": 5}
    assert [(one.event, fields(one)) for one in told] == [
        ("run.started", {**headline, "agentName": "A", "tools": ["readFile"]}),
        ("step.started", {"stepNo": 1, "attempt": 1}),
        ("step.thought", {"stepNo": 1, "thought": "thought 1", "calls": calls}),
        ("call.started", {**call, "attempt": 1}),
        ("call.completed", {**call, "durationMs": 5, "result": '{"text":"x"}'}),
        ("step.completed", {"stepNo": 1, "thought": "thought 1", "toolName": "readFile", "error": None}),
        ("run.updated", {**running, "stepsExecuted": 1}),
        ("step.started", {"stepNo": 2, "attempt": 1}),
        ("step.thought", {"stepNo": 2, "thought": "thought 2", "calls": []}),
        ("step.completed", {"stepNo": 2, "thought": "thought 2", "toolName": None, "error": None}),
        ("run.updated", {**running, "stepsExecuted": 2}),
        (
            "run.completed",
            {
                "status": "completed",
                "stepsExecuted": 2,
                "stepBudget": 5,
                "durationMs": 9,
                "summary": "all is done",
                "outcomeReason": "truncated",
            },
        ),
    ]


async def test_failed_attempts_are_sent_with_whether_they_are_repeated(api: Api) -> None:
    later = datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)
    await write(api, (WANTED,), (GOAL_STARTED, steps("1")))
    async with watching(api) as client:
        await client.next()
        await write(
            api,
            (run.StepFailed(step="1", attempt=1, error="busy", retry_at=later),),
            (steps("1"),),
            (turn(1, READ), steps("1.0")),
            (run.StepFailed(step="1.0", attempt=1, error="slow", retry_at=later),),
            (steps("1.0"),),
            (run.StepFailed(step="1.0", attempt=2, error="gone"), steps("2")),
            (run.StepFailed(step="2", attempt=1, error="no model"), run.Failed(error="no model")),
        )
        told = await client.until("run.failed")

    failed = {one.event: fields(one) for one in told if "retrying" in one.event or "failed" in one.event}
    retry_at = int(later.timestamp() * 1000)
    call = {"stepNo": 1, "position": 0, "toolName": "readFile"}
    assert failed == {
        "step.retrying": {"stepNo": 1, "attempt": 1, "error": "busy", "retryAt": retry_at},
        "call.retrying": {**call, "attempt": 1, "error": "slow", "retryAt": retry_at},
        "call.failed": {**call, "attempt": 2, "error": "gone"},
        "step.failed": {"stepNo": 2, "attempt": 1, "error": "no model"},
        "run.failed": {"status": "failed", "stepsExecuted": 1, "stepBudget": 5, "error": "no model"},
    }
    assert [fields(one)["attempt"] for one in told if one.event == "step.started"] == [2, 1]
    assert [fields(one)["error"] for one in told if one.event == "step.completed"] == ["gone"]


async def test_a_large_result_is_sent_in_full(api: Api) -> None:
    kept = await api.blobs.store_if_large("x" * 70_000)
    answered = run.CallAnswered(turn=1, position=0, result=kept)
    await write(api, (WANTED,), *TURNS[:2])
    async with watching(api) as client:
        await client.next()
        await write(api, (answered,))
        told = await client.until("call.completed")

    assert fields(told[-1])["result"] == "x" * 70_000


async def test_a_cancelled_run_is_sent_as_failed(api: Api) -> None:
    await write(api, (WANTED,), *TURNS[:2])
    async with watching(api) as client:
        await client.next()
        await api.post("/api/v1/runs/run_1/cancel", {"reason": "enough"})
        told = await client.until("run.failed")

    expected = {"status": "failed", "error": "cancelled: enough", "cancelledReason": "enough"}
    assert fields(told[-1]) | expected == fields(told[-1])


async def test_the_stream_of_a_deleted_run_ends(api: Api) -> None:
    await write(api, (WANTED,), *TURNS)
    async with watching(api) as client:
        await client.until("run.completed")
        await api.delete("/api/v1/runs/run_1")
        assert (await client.next()).event == "run.deleted"
        assert await client.ended()


async def test_a_client_that_connects_after_the_end_receives_the_end(api: Api) -> None:
    await write(api, (WANTED,), *TURNS)
    async with watching(api) as client:
        told = [await client.next(), await client.next()]

    assert [(one.event, one.data["status"]) for one in told] == [
        ("run.updated", "completed"),
        ("run.completed", "completed"),
    ]
    assert told[-1].id == (await api.log.read("run", "run_1"))[-1].seq


async def test_a_client_that_comes_back_misses_nothing_wherever_it_was(api: Api) -> None:
    await write(api, (WANTED,), *TURNS)
    async with watching(api, Last_Event_ID="0") as client:
        everything = (await client.until("run.completed"))[1:]

    assert [one.event for one in everything][:2] == ["run.created", "run.started"]
    for position, one in enumerate(everything[:-1]):
        if one.id:
            async with watching(api, Last_Event_ID=str(one.id)) as client:
                rest = await client.until("run.completed")
            assert [again.data for again in rest[1:]] == [later.data for later in everything[position + 1 :]]


# ── by a plan ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_has_the_events_of_a_run_by_a_plan_from_the_request_to_the_report(api: Api) -> None:
    await write_plan(api, ASKED)
    async with watching(api) as client:
        first = await client.next()
        await write_plan(api, dag.AttemptMade(attempt=1, reason="initial"), dag.Planned(job=job()))
        completed = run.StepCompleted(step="002", result={"a": 1}, duration_ms=5)
        await write(
            api,
            (REQUESTED,),
            (EXECUTED, steps("002", "001")),
            (completed, run.StepCompleted(step="001", result="x")),
            (
                run.StepCompleted(step="__SYNTHESIS__", result="report"),
                run.Completed(completed_steps=2, duration_ms=9),
            ),
        )
        told = await client.until("run.completed")

    assert (first.event, fields(first)) == (
        "run.updated",
        {"status": "pending", "stepsExecuted": 0, "stepBudget": 0},
    )
    counts = {"stepsExecuted": 2, "stepsFailed": 0}
    headline = {"objective": OBJECTIVE, "stepBudget": 2}
    assert [(one.event, fields(one)) for one in told] == [
        ("run.planned", headline),
        ("run.started", headline),
        ("step.started", {"stepNo": 2, "stepId": "002", "description": "do 002"}),
        ("step.started", {"stepNo": 1, "stepId": "001", "description": "do 001"}),
        ("step.completed", {"stepNo": 2, "stepId": "002", "durationMs": 5, "result": '{"a":1}'}),
        ("step.completed", {"stepNo": 1, "stepId": "001", "durationMs": 0, "result": "x"}),
        ("run.updated", {"status": "running", **counts, "stepsWaiting": 0}),
        ("step.completed", {"stepNo": 3, "stepId": "__SYNTHESIS__", "durationMs": 0, "result": "report"}),
        ("run.completed", {"status": "completed", **counts, "durationMs": 9, "summary": "report"}),
    ]


async def test_all_events_of_a_run_by_a_plan_can_be_replayed(api: Api) -> None:
    await write_plan(api, ASKED)
    await write_plan(api, dag.Planned(job=job()))
    await write(api, (REQUESTED,), (EXECUTED, steps("001")), (run.Suspended(reason="no"),))
    await write_plan(api, dag.Updated(title="told to others"))

    async with watching(api, Last_Event_ID="0") as client:
        told = await client.until("run.suspended")

    assert [one.event for one in told] == [
        "run.updated",
        "run.created",
        "run.planned",
        "run.started",
        "step.started",
        "run.suspended",
    ]
    assert fields(told[1]) == {
        "goalId": "goal_1",
        "objective": OBJECTIVE,
        "strategy": "dag",
        "dagId": plan_id("run_1"),
    }
    async with watching(api) as client:
        assert fields(await client.next()) == {
            "status": "failed",
            "stepsExecuted": 0,
            "stepsFailed": 0,
            "stepsWaiting": 0,
            "stepBudget": 2,
        }


async def test_a_question_about_the_plan_is_sent(api: Api) -> None:
    await write_plan(api, ASKED)
    async with watching(api) as client:
        await client.next()
        await write_plan(api, dag.ClarificationAsked(query="which?", job=job()))
        told = await client.next()

    assert (told.event, fields(told)) == ("run.asks", {"dagId": plan_id("run_1"), "question": "which?"})


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (dag.Rejected(http_status=500, error="no plan can be read"), "no plan can be read"),
        (dag.Deleted(), "its plan was deleted"),
    ],
)
async def test_a_run_fails_if_no_plan_can_be_made(api: Api, event: Event, error: str) -> None:
    await write_plan(api, ASKED)
    async with watching(api) as client:
        await client.next()
        await write_plan(api, event)
        told = await client.next()
    async with watching(api) as client:
        late = await client.until("run.failed")

    assert (told.event, fields(told)["error"]) == ("run.failed", error)
    assert [one.data["status"] for one in late] == ["failed", "failed"]


async def test_a_run_cancelled_before_it_has_a_plan_fails_once(api: Api) -> None:
    await write_plan(api, ASKED)
    async with watching(api) as client:
        await client.next()
        await api.post("/api/v1/runs/run_1/cancel", {"reason": "enough"})
        told = await client.next()
        await api.delete("/api/v1/runs/run_1")
        last = await client.next()

    assert (told.event, fields(told)["error"]) == ("run.failed", "cancelled: enough")
    assert last.event == "run.deleted"
