"""Lists of runs over HTTP, and ids of none."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from contracts.api.runs import RunRow
from contracts.domain import goal, run
from contracts.domain.goal import GOAL
from contracts.domain.run import RUN
from tests.services.gateway.runs.runs import (
    OBJECTIVE,
    RUNS,
    STARTED,
    completed,
    executed,
    job,
    planned,
    pursue,
    shown,
    wanted,
)
from tests.services.gateway.shared import UNKNOWN_IDS, keys_of

if TYPE_CHECKING:
    from tests.services.conftest import Api


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
    for unknown in ("cancelled", "suspended", "odd"):
        assert (await api.get(f"{RUNS}?status={unknown}")).status == 400
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
