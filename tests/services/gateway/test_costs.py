"""Costs over HTTP: exact to the last digit."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.event import Usage
from contracts.domain import dag, run, task
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from contracts.domain.run.steps import SYNTHESIS
from contracts.domain.run_requests import plan_id
from contracts.domain.task import TASK
from gateway.api.periods import InvalidTime, moment, period_of
from tests import jobs

if TYPE_CHECKING:
    from tests.services.conftest import Api

SUMMARY = "/api/v1/costs/summary"
NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
JOB = jobs.job(jobs.task("001"), jobs.task("002", "inference", {"prompt": "think"}), synthesis_plan="combine")
TOKENS = Usage(prompt_tokens=2, completion_tokens=1)
TOKENS_JSON = {"promptTokens": 2, "completionTokens": 1, "totalTokens": 3}


@pytest.fixture
def costs(api: Api) -> Api:
    api.gateway.clock = lambda: NOW
    return api


async def plan(api: Api, dag_id: str, *costs: str | None, at: datetime = NOW) -> None:
    """A DAG whose planning took one attempt for each of `costs`."""
    requested = dag.Requested(goal_text="do it", agent_name="A")
    attempts = [
        dag.AttemptMade(attempt=1, reason="initial", usage=TOKENS if cost else None, cost_usd=cost)
        for cost in costs
    ]
    await api.write(DAG, dag_id, requested, *attempts, dag.Planned(job=JOB), at=at)


async def execute(api: Api, run_id: str, dag_id: str, *costs: str | None, end: datetime | None = NOW) -> None:
    """An execution whose steps cost that, ended at `end` or still going on."""
    costed = [
        run.StepCompleted(step=step, usage=TOKENS if cost else None, cost_usd=cost, result="x")
        for step, cost in zip(("001", "002", SYNTHESIS), costs, strict=False)
    ]
    requested = run.Requested(dag_id=dag_id, original_request="do it", job=JOB)
    started = run.Started(executor="e", at=NOW, synthesis="llm")
    ended = [run.Completed(completed_steps=2, duration_ms=1)] if end else []
    await api.write(RUN, run_id, requested, started, *costed, *ended, at=end)


# ── one execution, one plan ─────────────────────────────────────────────────────────────────────────────


async def test_an_execution_shows_its_plan_its_steps_and_their_sum(costs: Api) -> None:
    await plan(costs, "d1", "0.1", "0.2")
    await execute(costs, "dag-exec_1", "d1", None, "0.000000000001", "0.7")
    answer = await costs.get("/api/v1/dag-executions/dag-exec_1/costs")
    assert answer.status == 200
    step = {"usage": None, "costUsd": None}
    assert answer.json == {
        "dagId": "d1",
        "executionId": "dag-exec_1",
        "planning": {
            "totalUsage": {"promptTokens": 4, "completionTokens": 2, "totalTokens": 6},
            "totalCostUsd": "0.3",
            "attempts": [
                {"attempt": 1, "reason": "initial", "usage": TOKENS_JSON, "costUsd": cost}
                for cost in ("0.1", "0.2")
            ],
        },
        "execution": {
            "totalUsage": {"promptTokens": 4, "completionTokens": 2, "totalTokens": 6},
            "totalCostUsd": "0.700000000001",
            "subSteps": [
                step
                | {
                    "id": "sub-step_1-001",
                    "taskId": "001",
                    "actionType": "tool",
                    "toolOrPromptName": "noop",
                },
                {
                    "id": "sub-step_1-002",
                    "taskId": "002",
                    "actionType": "inference",
                    "toolOrPromptName": "inference",
                    "usage": TOKENS_JSON,
                    "costUsd": "0.000000000001",
                },
            ],
            "synthesis": {"usage": TOKENS_JSON, "costUsd": "0.7"},
        },
        "totals": {
            "planningCostUsd": "0.3",
            "executionCostUsd": "0.700000000001",
            "grandTotalCostUsd": "1.000000000001",
        },
    }


async def test_the_costs_of_steps_with_unusable_attempts_add_up_to_the_cost_of_the_execution(
    costs: Api,
) -> None:
    started = run.Started(executor="e", at=NOW, synthesis="llm")
    failed = run.StepFailed(step="002", attempt=1, error="empty", usage=TOKENS, cost_usd="0.25", retry_at=NOW)
    done = run.StepCompleted(step="002", attempt=2, usage=TOKENS, cost_usd="1e-12", agent_version="7")
    requested = run.Requested(dag_id="d1", original_request="do it", job=JOB)
    await costs.write(RUN, "dag-exec_1", requested, started, failed)
    await costs.write(RUN, "dag-exec_1", done)

    shown = (await costs.get("/api/v1/dag-executions/dag-exec_1/costs")).json["execution"]
    (_, thought, _) = (await costs.get("/api/v1/dag-executions/dag-exec_1/sub-steps")).json["subSteps"]

    assert shown["totalCostUsd"] == shown["subSteps"][1]["costUsd"] == "0.250000000001"
    assert shown["totalUsage"] == shown["subSteps"][1]["usage"]
    assert (thought["costUsd"], thought["agentVersion"]) == ("0.250000000001", "7")


async def test_an_execution_that_waits_for_its_plan_costs_what_the_plan_does(costs: Api) -> None:
    dag_id = plan_id("dag-exec_1")
    requested = dag.Requested(goal_text="do it", agent_name="A", run_id="dag-exec_1")
    made = dag.AttemptMade(
        attempt=1, reason="initial", usage=TOKENS, cost_usd="0.1", retry="retry_parse_error"
    )
    await costs.write(DAG, dag_id, requested, made)

    shown = (await costs.get("/api/v1/dag-executions/dag-exec_1/costs")).json

    assert (shown["dagId"], shown["planning"]["totalCostUsd"]) == (dag_id, "0.1")
    nothing: dict[str, Any] = {"totalUsage": None, "totalCostUsd": None, "subSteps": [], "synthesis": None}
    assert shown["execution"] == nothing
    assert shown["totals"] == {
        "planningCostUsd": "0.1",
        "executionCostUsd": "0",
        "grandTotalCostUsd": "0.1",
    }
    await costs.delete("/api/v1/dag-executions/dag-exec_1")
    assert (await costs.get("/api/v1/dag-executions/dag-exec_1/costs")).status == 404


async def test_an_unknown_cost_is_null_and_counts_as_zero(costs: Api) -> None:
    await execute(costs, "dag-exec_1", "gone", end=None)
    shown = (await costs.get("/api/v1/dag-executions/dag-exec_1/costs")).json
    assert shown["planning"] is None
    assert (shown["execution"]["totalUsage"], shown["execution"]["totalCostUsd"]) == (None, None)
    assert set(shown["totals"].values()) == {"0"}
    await plan(costs, "d1", None)
    shown = (await costs.get("/api/v1/dags/d1/costs")).json
    assert shown["planning"] == {
        "totalUsage": None,
        "totalCostUsd": "0",
        "attempts": [{"attempt": 1, "reason": "initial"}],
    }
    assert shown["totals"] == {
        "planningCostUsd": "0",
        "executionsCostUsd": "0",
        "grandTotalCostUsd": "0",
    }


async def test_a_plan_costs_the_same_in_its_row_and_in_both_breakdowns(costs: Api) -> None:
    await plan(costs, "free", None)
    await execute(costs, "dag-exec_1", "free")
    of_row = (await costs.get("/api/v1/dags/free")).json["planningTotalCostUsd"]
    of_dag = (await costs.get("/api/v1/dags/free/costs")).json["planning"]["totalCostUsd"]
    of_execution = (await costs.get("/api/v1/dag-executions/dag-exec_1/costs")).json["planning"]
    assert of_row == of_dag == of_execution["totalCostUsd"] == "0"


async def test_a_plan_shows_every_execution_and_the_sum(costs: Api) -> None:
    await plan(costs, "d1", "0.1")
    await execute(costs, "dag-exec_1", "d1", "0.1", end=datetime(2026, 3, 1, tzinfo=UTC))
    await execute(costs, "dag-exec_2", "d1", "0.2", end=datetime(2026, 3, 2, tzinfo=UTC))
    await costs.write(
        RUN,
        "dag-exec_3",
        run.Requested(dag_id="d1", original_request="do it", job=JOB),
        run.Cancelled(reason="enough"),
        at=datetime(2026, 3, 3, tzinfo=UTC),
    )
    answer = await costs.get("/api/v1/dags/d1/costs")
    assert answer.status == 200
    assert answer.json["dagId"] == "d1"
    shown = [
        (one["executionId"], one["status"], one["totalCostUsd"], one["completedAt"])
        for one in answer.json["executions"]
    ]
    assert shown == [
        ("dag-exec_3", "failed", None, "2026-03-03T00:00:00.000Z"),
        ("dag-exec_2", "completed", "0.2", "2026-03-02T00:00:00.000Z"),
        ("dag-exec_1", "completed", "0.1", "2026-03-01T00:00:00.000Z"),
    ]
    assert answer.json["totals"] == {
        "planningCostUsd": "0.1",
        "executionsCostUsd": "0.3",
        "grandTotalCostUsd": "0.4",
    }


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/api/v1/dag-executions/{}/costs", "DAG execution with id '{}' not found"),
        ("/api/v1/dags/{}/costs", "DAG with id '{}' not found"),
    ],
)
@pytest.mark.parametrize("id_", ["nope", "a.b", ">"])
async def test_costs_of_an_unknown_id_are_not_found(costs: Api, path: str, error: str, id_: str) -> None:
    answer = await costs.get(path.format(id_))
    assert (answer.status, answer.json) == (404, {"error": error.format(id_)})


# ── over time ───────────────────────────────────────────────────────────────────────────────────────────


NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
async def spent(costs: Api) -> Api:
    """Saturday to Monday, over the end of a month."""
    await plan(costs, "d1", "0.1", at=datetime(2026, 2, 28, 23, 59, 59, 999000, tzinfo=UTC))
    await plan(costs, "d2", "0.2", at=datetime(2026, 3, 1, tzinfo=UTC))
    await plan(costs, "free", None, at=datetime(2026, 3, 5, tzinfo=UTC))
    await execute(costs, "dag-exec_1", "d1", "0.7", end=datetime(2026, 3, 1, 23, tzinfo=UTC))
    await execute(costs, "dag-exec_2", "d1", "1e-12", end=datetime(2026, 3, 2, tzinfo=UTC))
    await execute(costs, "dag-exec_3", "d1", "9", end=None)
    return costs


def row(planning: str, execution: str, total: str, **period: str) -> dict[str, str]:
    """The sums of a period with plans and executions only."""
    others = {"goalRunCostUsd": "0", "taskCostUsd": "0", "totalCostUsd": total}
    return {**period, "planningCostUsd": planning, "executionCostUsd": execution, **others}


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        (
            "day",
            [
                row("0.1", "0", "0.1", date="2026-02-28"),
                row("0.2", "0.7", "0.9", date="2026-03-01"),
                row("0", "0.000000000001", "0.000000000001", date="2026-03-02"),
                row("0", "0", "0", date="2026-03-05"),
            ],
        ),
        (
            "week",
            [
                row("0.1", "0", "0.1", date="2026-02-22"),
                row("0.2", "0.700000000001", "0.900000000001", date="2026-03-01"),
            ],
        ),
        (
            "month",
            [
                row("0.1", "0", "0.1", date="2026-02"),
                row("0.2", "0.700000000001", "0.900000000001", date="2026-03"),
            ],
        ),
    ],
)
async def test_money_is_summed_by_period_in_utc(spent: Api, group_by: str, expected: Any) -> None:
    answer = await spent.get(f"{SUMMARY}?from=2026-01-01&groupBy={group_by}")
    assert answer.status == 200
    assert answer.json == {
        "dateRange": {
            "from": "2026-01-01T00:00:00.000Z",
            "to": "2026-03-31T12:30:00.000Z",
            "groupBy": group_by,
        },
        "summary": expected,
        "totals": row("0.3", "0.700000000001", "1.000000000001"),
    }


async def test_the_last_thirty_days_by_day_are_the_default(spent: Api) -> None:
    shown = (await spent.get(SUMMARY)).json
    assert shown["dateRange"] == {
        "from": "2026-03-01T12:30:00.000Z",
        "to": "2026-03-31T12:30:00.000Z",
        "groupBy": "day",
    }
    assert shown["totals"] == row("0", "0.700000000001", "0.700000000001")


async def test_runs_of_goals_and_tasks_are_spent_on_too(costs: Api) -> None:
    await costs.write(RUN, "run_1", run.GoalRequested(goal_id="g", objective="reach it", step_budget=1))
    turn = run.TurnTaken(turn=1, thought="t", finish_reason="stop", cost_usd="0.5")
    await costs.write(RUN, "run_1", turn, run.Failed(error="broke"), at=NOON)
    asked = {"agent_id": "a", "agent_name": "A", "agent_version": "1", "provider": "p", "model": "m"}
    await costs.write(TASK, "task_1", task.Answered(**asked, cost_usd="0.25", duration_ms=1), at=NOON)
    await costs.write(TASK, "task_2", task.Failed(**asked, error="no", duration_ms=1), at=NOON)

    shown = (await costs.get(SUMMARY)).json

    sums = {"goalRunCostUsd": "0.5", "taskCostUsd": "0.25", "totalCostUsd": "0.75"}
    assert shown["totals"] == {"planningCostUsd": "0", "executionCostUsd": "0", **sums}
    assert shown["summary"] == [{"date": f"{NOON:%Y-%m-%d}", **shown["totals"]}]


async def test_both_ends_of_the_range_count(spent: Api) -> None:
    edges = "from=2026-02-28T23:59:59.999Z&to=2026-03-01T01:00:00%2B01:00"
    assert (await spent.get(f"{SUMMARY}?{edges}")).json["totals"] == row("0.3", "0", "0.3")
    backwards = (await spent.get(f"{SUMMARY}?from=2026-03-02&to=2026-03-01")).json
    assert (backwards["summary"], backwards["totals"]) == ([], row("0", "0", "0"))


@pytest.mark.parametrize("key", ["from", "to"])
@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "7x", "-1d", "99999999d", "999999m", "999999w", "%20"]
)
async def test_an_invalid_date_is_refused(costs: Api, key: str, text: str) -> None:
    answer = await costs.get(f"{SUMMARY}?{key}={text}")
    assert (answer.status, answer.json["error"]) == (400, "Invalid parameters")
    (issue,) = answer.json["validation_errors"]
    assert issue["path"] == [key]
    assert "write 2026-01-31" in issue["message"]


async def test_an_unknown_grouping_is_refused(costs: Api) -> None:
    answer = await costs.get(f"{SUMMARY}?groupBy=year")
    assert (answer.status, answer.json["error"]) == (400, "Invalid parameters")
    assert answer.json["validation_errors"][0]["code"] == "invalid_enum_value"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T10:00:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31T10:00:00+02:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("0d", NOW),
        ("7d", datetime(2026, 3, 24, 12, 30, tzinfo=UTC)),
        ("2w", datetime(2026, 3, 17, 12, 30, tzinfo=UTC)),
        ("1m", datetime(2026, 2, 28, 12, 30, tzinfo=UTC)),
        ("3m", datetime(2025, 12, 31, 12, 30, tzinfo=UTC)),
        ("15m", datetime(2024, 12, 31, 12, 30, tzinfo=UTC)),
    ],
)
def test_moments_are_dates_or_so_long_ago(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


def test_an_invalid_time_is_refused_with_the_valid_forms() -> None:
    with pytest.raises(InvalidTime, match="7d, 2w or 3m"):
        moment("soon", NOW)


@pytest.mark.parametrize(
    ("day", "sunday"),
    [
        (date(2026, 2, 28), "2026-02-22"),
        (date(2026, 3, 1), "2026-03-01"),
        (date(2026, 3, 2), "2026-03-01"),
        (date(2026, 1, 1), "2025-12-28"),
    ],
)
def test_weeks_begin_on_sunday(day: date, sunday: str) -> None:
    assert period_of(day, "week") == sunday
