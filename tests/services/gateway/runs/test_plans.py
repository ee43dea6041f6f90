"""Runs by a plan, as they are shown over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from contracts.api.runs import RunStepRow
from contracts.domain import dag, run, webhook
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_id
from contracts.domain.webhook import WEBHOOK
from tests.services.gateway.runs.runs import RUNS, STARTED, USED, executed, planned, shown
from tests.services.gateway.shared import keys_of

if TYPE_CHECKING:
    from tests.services.conftest import Api


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


async def test_only_started_steps_of_a_plan_are_shown(api: Api) -> None:
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
