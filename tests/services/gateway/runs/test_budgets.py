"""The budgets of runs over HTTP: what is left, and how a run goes on with more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.event import Event, Json
from contracts.domain import run
from contracts.domain.budget import Budget
from contracts.domain.run import RUN
from tests.services.gateway.goals.goals import GOALS, create
from tests.services.gateway.runs.runs import GOAL_STARTED, RUNS, turn, wanted
from tests.services.gateway.shared import LLM

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

OVER = run.BudgetReached(
    step="2", attempt=1, limit="usd", allowed="0.002", spent="0.0012", needed="0.001", reason="budget: all"
)
STOPPED: tuple[tuple[Event, ...], ...] = (
    (wanted(budget=Budget(usd="0.002", steps=9)),),
    (GOAL_STARTED, run.StepsStarted(steps=("1",))),
    (turn(1, finish_reason="length"), run.StepsStarted(steps=("2",))),
    (OVER, run.Failed(error="budget: all", worked_ms=1500)),
)


async def stopped(api: Api) -> str:
    """The path of the budget of a goal run that its budget stopped."""
    for events in STOPPED:
        await api.write(RUN, "run_1", *events)
    return f"{RUNS}/run_1/budget"


async def test_a_budget_shows_what_is_allowed_spent_and_left(api: Api) -> None:
    shown = (await api.get(await stopped(api))).json
    assert shown == {
        "runId": "run_1",
        "limits": [
            {"limit": "usd", "allowed": "0.002", "spent": "0.0012", "left": "0.0008"},
            {"limit": "tokens", "allowed": None, "spent": "18", "left": None},
            {"limit": "seconds", "allowed": None, "spent": "1.5", "left": None},
            {"limit": "steps", "allowed": "9", "spent": "2", "left": "7"},
        ],
        "reached": "budget: all",
    }


async def test_a_run_that_its_budget_stopped_goes_on_with_more(api: Api) -> None:
    path = await stopped(api)
    assert (await api.get(f"{RUNS}/run_1")).json["error"] == "budget: all"
    answer = await api.post(path, {"usd": 0.01, "tokens": 5000})
    assert answer.status == 200
    assert answer.json["limits"][0] == {
        "limit": "usd",
        "allowed": "0.01",
        "spent": "0.0012",
        "left": "0.0088",
    }
    assert answer.json["reached"] is None
    assert (await api.get(f"{RUNS}/run_1")).json["status"] == "pending"


async def test_a_budget_with_which_the_run_would_stop_again_is_refused(api: Api) -> None:
    answer = await api.post(await stopped(api), {"usd": 0.002})
    assert answer.status == 409
    assert answer.json["error"] == ("usd: the run cannot go on with 0.002 US dollars: give at least 0.0022")


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ({}, [], "give at least one limit: usd, tokens, seconds, steps"),
        ({"usd": -1}, ["usd"], "give US dollars from 0 to"),
        ({"usd": "much"}, ["usd"], "is not an amount of money"),
        ({"tokens": -1}, ["tokens"], "greater than or equal to 0"),
        ({"seconds": "1"}, ["seconds"], "Expected number"),
        ({"step": 1}, [], "did you mean 'steps'?"),
    ],
)
async def test_an_invalid_budget_is_refused_by_name(
    api: Api, body: dict[str, Json], path: list[str], message: str
) -> None:
    answer = await api.post(await stopped(api), body)
    assert answer.status == 400
    (issue,) = answer.json["validation_errors"]
    assert issue["path"] == path
    assert message in issue["message"]


@pytest.mark.parametrize("resource", ["runs", "dag-executions"])
async def test_an_unknown_run_has_no_budget(api: Api, resource: str) -> None:
    assert (await api.get(f"/api/v1/{resource}/nope/budget")).status == 404
    assert (await api.post(f"/api/v1/{resource}/nope/budget", {"usd": 1})).status == 404


async def test_the_budget_of_a_goal_is_that_of_its_runs(start_gateway: StartGateway) -> None:
    api = await start_gateway(llm=LLM)
    created = await create(api, params={"budget": {"usd": 0.5, "steps": 3}})
    assert created["params"]["budget"] == {"usd": "0.5", "steps": 3}
    run_id = (await api.post(f"{GOALS}/{created['id']}/run")).json["runId"]
    limits = (await api.get(f"{RUNS}/{run_id}/budget")).json["limits"]
    assert [one["allowed"] for one in limits] == ["0.5", None, None, "3"]


async def test_an_invalid_budget_of_a_goal_is_refused(api: Api) -> None:
    goal: dict[str, Any] = {"objective": "Find out what grows", "params": {"budget": {"usd": -1}}}
    answer = await api.post("/api/v1/goals", goal)
    assert answer.status == 400
    assert answer.json["validation_errors"][0]["path"] == ["params", "budget", "usd"]
