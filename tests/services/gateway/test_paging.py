"""Pages of lists by cursor, and how many rows there are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from contracts.domain import goal, run
from contracts.domain.goal import GOAL
from contracts.domain.memory import MEMORY, Kept, Kind, Memory
from contracts.domain.run import RUN
from contracts.domain.schedule.ticks import SCHEDULE, Decision, Ticked
from tests.services.gateway.executions.executions import STARTED, requested, task
from tests.services.gateway.runs.runs import wanted

if TYPE_CHECKING:
    from tests.services.conftest import Api

EXECUTIONS = "/api/v1/dag-executions"


async def test_a_row_that_changes_between_two_pages_by_cursor_is_not_lost(api: Api) -> None:
    for number in range(5):
        await api.write(RUN, f"e{number}", requested())

    first = (await api.get(f"{EXECUTIONS}?limit=2&cursor=")).json
    await api.write(RUN, "e2", STARTED)
    await api.write(RUN, "e5", requested())
    second = (await api.get(f"{EXECUTIONS}?limit=2&cursor={first['pagination']['nextCursor']}")).json
    third = (await api.get(f"{EXECUTIONS}?limit=2&cursor={second['pagination']['nextCursor']}")).json

    pages = [[row["id"] for row in page["executions"]] for page in (first, second, third)]
    assert pages == [["e4", "e3"], ["e2", "e1"], ["e0"]]
    assert third["pagination"] == {"limit": 2, "count": 1, "nextCursor": None}


@pytest.mark.parametrize(("path", "prefix"), [("/api/v1/runs", "run_"), ("/api/v1/goals", "goal_")])
async def test_lists_that_are_arrays_name_the_next_page_in_a_header(api: Api, path: str, prefix: str) -> None:
    for number in range(3):
        await api.write(GOAL, f"goal_{number}", goal.Created(objective="Find out what grows here"))
        await api.write(RUN, f"run_{number}", wanted(f"goal_{number}"))

    found, following = [], f"{path}?limit=2&cursor="
    while following:
        answer = await api.get(following)
        found += [row["id"] for row in answer.json]
        following = answer.headers.get("link", "").partition(">")[0].removeprefix("<")

    assert found == [f"{prefix}2", f"{prefix}1", f"{prefix}0"]


async def test_a_page_of_ticks_by_cursor_is_not_moved_by_a_new_tick(api: Api) -> None:
    async def tick(hour: int) -> None:
        at = datetime(2026, 1, 1, hour, tzinfo=UTC)
        await api.write(SCHEDULE, "sched_1", Ticked(tick=at, decision=Decision.FIRED, goal_id="goal_1"))

    async def page(cursor: str) -> Any:
        return (await api.get(f"/api/v1/schedules/sched_1/ticks?limit=2&cursor={cursor}")).json

    for hour in range(3):
        await tick(hour)
    first = await page("")
    await tick(3)
    second = await page(first["pagination"]["nextCursor"])

    assert [one["tick"][11:13] for one in first["ticks"] + second["ticks"]] == ["02", "01", "00"]
    assert second["pagination"] == {"limit": 2, "count": 1, "nextCursor": None}


async def test_a_page_of_memories_by_cursor_is_not_moved_by_a_new_memory(api: Api) -> None:
    await api.write(GOAL, "goal_1", goal.Created(objective="Find out what grows here"))

    async def keep(number: int) -> None:
        kept = (Memory(type=Kind.FACT, content=str(number), run_id=f"run_{number}"),)
        await api.write(MEMORY, "goal_1", Kept(run_id=f"run_{number}", added=kept, recalled=kept))

    for number in (1, 2, 3):
        await keep(number)
    first = await api.get("/api/v1/goals/goal_1/memories?limit=2&cursor=")
    await keep(4)
    second = await api.get(first.headers["link"].partition(">")[0].removeprefix("<"))

    assert [one["content"] for one in first.json + second.json] == ["3", "2", "1"]
    assert "link" not in second.headers


@pytest.mark.parametrize("query", ["cursor=odd", "cursor=&offset=1"])
async def test_a_cursor_that_no_answer_had_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"{EXECUTIONS}?{query}")

    assert (answer.status, answer.json["error"]) == (400, "Invalid query parameters")
    assert "cursor" in str(answer.json["validation_errors"])


async def test_the_total_follows_what_happens_to_rows(api: Api) -> None:
    async def totals() -> list[Any]:
        queries = ("", "?status=running", "?status=failed", "?status=failed&offset=9")
        return [(await api.get(EXECUTIONS + one)).json["pagination"]["total"] for one in queries]

    for number in range(3):
        await api.write(RUN, f"e{number}", requested())
        await api.write(RUN, f"e{number}", STARTED)
    assert await totals() == [3, 3, 0, 0]
    await api.write(RUN, "e0", run.Cancelled(reason="enough"))
    await api.write(RUN, "e1", run.Deleted())
    assert await totals() == [2, 1, 1, 1]


async def test_steps_are_in_the_numeric_order_of_their_ids(api: Api) -> None:
    ids = [str(number) for number in range(1, 13)]
    await api.write(RUN, "e1", requested(*map(task, reversed(ids))))

    steps = (await api.get(f"{EXECUTIONS}/e1/sub-steps")).json["subSteps"]
    costs = (await api.get(f"{EXECUTIONS}/e1/costs")).json["execution"]["subSteps"]

    assert [step["taskId"] for step in steps] == [*ids, "__SYNTHESIS__"]
    assert [step["taskId"] for step in costs] == ids
