"""The attempts at a step, and numbers of runs over time, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from contracts.api.attempts import StepAttempts
from contracts.core.event import Usage
from contracts.domain import goal, run
from contracts.domain.goal import GOAL
from contracts.domain.run import RUN
from tests.services.gateway.executions.executions import STARTED, done, requested, task
from tests.services.gateway.runs.runs import GOAL_STARTED, OBJECTIVE, completed, pursue, turn

if TYPE_CHECKING:
    from tests.services.conftest import Api

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
USED = Usage(prompt_tokens=1, completion_tokens=2)
BEGAN = run.StepsStarted(steps=("001",))


@pytest.fixture
async def api(api: Api) -> Api:
    """A gateway with a goal."""
    await api.write(GOAL, "goal_1", goal.Created(objective=OBJECTIVE))
    return api


async def attempts(api: Api, path: str) -> Any:
    answer = await api.get(f"/api/v1/{path}/attempts")
    assert answer.status == 200, answer.body
    StepAttempts.model_validate(answer.json)
    return answer.json


async def test_each_attempt_says_who_made_it_how_it_ended_and_what_it_cost(api: Api) -> None:
    failed = run.StepFailed(
        step="001",
        attempt=1,
        error="busy",
        retry_at=NOW,
        duration_ms=7,
        usage=USED,
        cost_usd="0.5",
        model="m",
    )
    await api.write(RUN, "e1", requested(task("001"), task("002", "001")))
    await api.write(RUN, "e1", STARTED, BEGAN)
    await api.write(RUN, "e1", failed)
    await api.write(RUN, "e1", run.StepsStarted(steps=("001",), retried=("001",)))
    await api.write(RUN, "e1", run.TakenOver(executor="f"), BEGAN)
    await api.write(RUN, "e1", done("001", "r", attempt=3))

    shown = await attempts(api, "dag-executions/e1/steps/1")

    assert (shown["step"], shown["inherited"]) == ("001", None)
    first, second, third = shown["attempts"]
    assert {
        name: first[name] for name in ("number", "executor", "outcome", "error", "durationMs", "costUsd")
    } == {
        "number": 1,
        "executor": "e",
        "outcome": "failed",
        "error": "busy",
        "durationMs": 7,
        "costUsd": "0.5",
    }
    assert (first["retryAt"], first["usage"]["totalTokens"]) == ("2026-01-01T12:00:00.000Z", 3)
    assert (second["outcome"], second["executor"], second["waitedMs"] >= 0) == ("lost", "e", True)
    assert (third["outcome"], third["executor"], third["number"]) == ("completed", "f", 3)
    assert (await attempts(api, "dag-executions/e1/steps/002"))["attempts"] == []


async def test_attempts_say_what_is_untrusted_and_what_was_decided_about_an_outward_call(api: Api) -> None:
    ruling = {"decision": "ask", "policy": "ask-tainted", "reason": "the address is from outside"}
    began = run.StepsStarted(steps=("001", "002"), untrusted=("001",), outward={"001": ruling})
    await api.write(RUN, "e1", requested(task("001"), task("002")))
    await api.write(RUN, "e1", STARTED, began)
    (first,) = (await attempts(api, "dag-executions/e1/steps/001"))["attempts"]
    (second,) = (await attempts(api, "dag-executions/e1/steps/002"))["attempts"]
    assert (first["untrusted"], first["outward"]) == (True, ruling)
    assert (second["untrusted"], second["outward"]) == (False, None)


async def test_the_prompt_of_each_attempt_is_what_the_model_received(api: Api) -> None:
    async def sent(content: str) -> Any:
        messages = [{"role": "user", "content": content}]
        body = {"model": "m", "messages": messages, "temperature": 0.5}
        return (await api.gateway.blobs.put_json(body)).as_json()

    failed = run.StepFailed(step="001", attempt=1, error="busy", retry_at=NOW, prompt=await sent("one"))
    await api.write(RUN, "e1", requested(task("001"), task("002", "001")))
    await api.write(RUN, "e1", STARTED, BEGAN, failed)
    path = "dag-executions/e1/steps/1"
    assert (await api.get(f"/api/v1/{path}/prompt")).json["messages"] == [{"role": "user", "content": "one"}]
    await api.write(RUN, "e1", run.StepsStarted(steps=("001",), retried=("001",)))
    await api.write(RUN, "e1", done("001", "r", attempt=2, prompt=await sent("two")))

    assert [one["hasPrompt"] for one in (await attempts(api, path))["attempts"]] == [True, True]
    assert (await api.get(f"/api/v1/{path}/prompt")).json == {
        "step": "001",
        "attempt": 2,
        "model": "m",
        "messages": [{"role": "user", "content": "two"}],
        "tools": [],
        "parameters": {"temperature": 0.5},
    }
    assert (await api.get(f"/api/v1/{path}/prompt?attempt=1")).json["messages"][0]["content"] == "one"


async def test_the_prompt_of_a_turn_is_read_in_its_run(api: Api) -> None:
    ref = (await api.gateway.blobs.put_json({"model": "m", "messages": [], "tools": [{}]})).as_json()
    await pursue(api, "run_1", (turn(1, prompt=ref),))
    answer = await api.get("/api/v1/runs/run_1/steps/1/prompt")
    assert (answer.status, answer.json["tools"]) == (200, [{}])
    assert (await api.get("/api/v1/runs/run_2/steps/1/prompt")).status == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("steps/001/prompt", "Attempt 1 at step 001 is in progress"),
        ("steps/002/prompt", "Step 002 has not started"),
        ("steps/003/prompt", "Attempt 1 at step 003 asked no model"),
        ("steps/001/prompt?attempt=7", "has 1 attempts, so there is no attempt 7"),
        ("steps/009/prompt", "009"),
    ],
)
async def test_a_missing_prompt_says_why(api: Api, query: str, said: str) -> None:
    await api.write(RUN, "e1", requested(task("001"), task("002", "001"), task("003")))
    await api.write(RUN, "e1", STARTED, run.StepsStarted(steps=("001", "003")), done("003", "r"))
    answer = await api.get(f"/api/v1/dag-executions/e1/{query}")
    assert answer.status == 404
    assert said in answer.json["error"]


async def test_attempts_that_a_suspension_stopped_or_that_asked_say_so(api: Api) -> None:
    asked = run.Asked(step="001", attempt=1, kind="question", title="t", tool="x", params_sha256="s", why="w")
    await api.write(RUN, "e1", requested(task("001")))
    await api.write(RUN, "e1", STARTED, BEGAN, asked)
    await api.write(RUN, "e1", BEGAN, run.Suspended(reason="parked"), run.Resumed())
    await api.write(RUN, "e1", STARTED, BEGAN)

    shown = await attempts(api, "dag-executions/e1/steps/001")

    assert [one["outcome"] for one in shown["attempts"]] == ["asked", "stopped", "running"]


async def test_attempts_at_turns_calls_and_the_summary_are_listed(api: Api) -> None:
    await completed(api, "run_1")
    for step, outcome in (("1", "completed"), ("1.0", "completed"), ("summary", "completed")):
        shown = await attempts(api, f"runs/run_1/steps/{step}")
        assert [one["outcome"] for one in shown["attempts"]] == [outcome]
    await pursue(api, "run_2", (run.StepFailed(step="1", attempt=1, error="away"), run.Failed(error="away")))
    await api.write(RUN, "run_2", run.Resumed())
    await api.write(RUN, "run_2", GOAL_STARTED, run.StepsStarted(steps=("1",)), turn(1))
    shown = await attempts(api, "runs/run_2/steps/1")
    assert [one["outcome"] for one in shown["attempts"]] == ["failed", "completed"]


async def test_an_inherited_step_has_no_attempt_and_says_where_its_result_is_from(api: Api) -> None:
    inherited = run.Inherited(steps=(run.InheritedStep(step="001", result=1, given=True),))
    await api.write(RUN, "e1", requested(task("001")), inherited)
    assert await attempts(api, "dag-executions/e1/steps/001") == {
        "step": "001",
        "inherited": "given",
        "attempts": [],
    }


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("dag-executions/e1/steps/0O1", "the run has no step '0O1'; did you mean '001'?"),
        ("dag-executions/e9/steps/001", "DAG execution with id 'e9' not found"),
        ("dag-executions/run_1/steps/1", "DAG execution with id 'run_1' not found"),
        ("runs/e1/steps/001", "Run not found"),
        ("runs/run_1/steps/7.0", "the run has no step '7.0'"),
    ],
)
async def test_attempts_at_an_unknown_step_are_not_found(api: Api, path: str, error: str) -> None:
    await api.write(RUN, "e1", requested(task("001")))
    await completed(api, "run_1")

    answer = await api.get(f"/api/v1/{path}/attempts")

    assert answer.status == 404
    assert answer.json["error"].startswith(error)
