"""Goals and their memories over HTTP, one and in lists."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from contracts.api.agents import AgentRow
from contracts.api.goals import GoalDetail, GoalRow, ListedGoal, MemoryRow
from contracts.api.schedules import ScheduleRow
from contracts.domain import goal, memory
from contracts.domain.goal import GOAL
from contracts.domain.memory import MEMORY, Kind, Memory
from contracts.domain.schedule.schedule import Schedule
from tests.services.gateway.goals.goals import GOALS, OBJECTIVE, create, new_agent
from tests.services.gateway.shared import UNKNOWN_IDS, keys_of

if TYPE_CHECKING:
    from tests.services.conftest import Api

# ── list and get ────────────────────────────────────────────────────────────────────────────────────────


async def test_goals_are_listed_newest_first_with_schedules_and_agent(api: Api) -> None:
    agent_id = await new_agent(api, "A")
    first = await create(api, schedule={"cronExpr": "@daily"})
    second = await create(api, agentName="A")
    await api.post(f"{GOALS}/{first['id']}/schedules", {"cronExpr": "@hourly"})

    newer, older = (await api.get(GOALS)).json

    assert (newer["id"], older["id"]) == (second["id"], first["id"])
    assert [one["cronExpr"] for one in older["schedules"]] == ["@daily", "@hourly"]
    assert (newer["schedules"], older["agent"]) == ([], None)
    assert newer["agent"] == (await api.get(f"/api/v1/agents/{agent_id}")).json


async def test_a_goal_whose_agent_is_deleted_is_shown_without_an_agent(api: Api) -> None:
    agent_id = await new_agent(api, "A", active=False)
    goal_id = (await create(api, agentId=agent_id))["id"]
    await api.delete(f"/api/v1/agents/{agent_id}")

    (listed,) = (await api.get(GOALS)).json

    assert (listed["id"], listed["agentId"], listed["agent"]) == (goal_id, agent_id, None)


async def test_goals_are_listed_by_status_and_an_unknown_status_is_refused(api: Api) -> None:
    active, paused, archived = [(await create(api))["id"] for _ in range(3)]
    await api.post(f"{GOALS}/{paused}/pause")
    await api.patch(f"{GOALS}/{archived}", {"status": "archived"})

    async def ids(status: str) -> list[str]:
        return [one["id"] for one in (await api.get(f"{GOALS}?status={status}")).json]

    assert [await ids(status) for status in ("active", "paused", "archived")] == [
        [active],
        [paused],
        [archived],
    ]
    refused = await api.get(f"{GOALS}?status=actve")
    assert refused.status == 400
    assert "did you mean 'active'" in str(refused.json)


async def test_all_goals_are_listed_unless_a_part_is_asked_for(api: Api) -> None:
    ids = [(await create(api, schedule={"cronExpr": "@daily"}))["id"] for _ in range(60)]

    async def listed(query: str) -> list[str]:
        return [one["id"] for one in (await api.get(GOALS + query)).json]

    assert await listed("") == ids[::-1]
    assert await listed("?limit=2&offset=1") == ids[-2:-4:-1]
    assert await listed("?offset=60") == []


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1", "offset=1e-3", "status=a&status=b"])
async def test_a_bad_query_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"{GOALS}?{query}")

    assert (answer.status, answer.json["error"]) == (400, "Invalid query parameters")


async def test_rows_are_what_the_api_says_they_are(api: Api) -> None:
    """Rows are made without the models that describe them; this holds the two together."""
    await new_agent(api, "A")
    created = await create(api, agentName="A", schedule={"cronExpr": "@daily"})

    (listed,) = (await api.get(GOALS)).json
    detail = (await api.get(f"{GOALS}/{created['id']}")).json

    assert list(created) == keys_of(GoalRow)
    assert list(detail) == keys_of(GoalDetail)
    assert list(listed) == keys_of(ListedGoal)
    assert list(listed["agent"]) == keys_of(AgentRow)
    assert list(detail["schedules"][0]) == keys_of(ScheduleRow)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("GET", "/memories"),
        ("GET", "/schedules"),
    ],
)
async def test_an_unknown_id_is_not_found(api: Api, method: str, path: str) -> None:
    for goal_id in UNKNOWN_IDS:
        answer = await api.call(method, f"{GOALS}/{quote(goal_id)}{path}")

        assert (answer.status, answer.json) == (404, {"error": "Goal not found"})


# ── memories ────────────────────────────────────────────────────────────────────────────────────────────


async def test_memories_are_listed_newest_first(api: Api) -> None:
    goal_id = (await create(api))["id"]
    for number, kind in enumerate((Kind.FACT, Kind.ARTIFACT, Kind.NOTE), start=1):
        kept = (Memory(type=kind, content=f"memory {number}", run_id=f"run_{number}"),)
        await api.write(MEMORY, goal_id, memory.Kept(run_id=f"run_{number}", added=kept, recalled=kept))

    newest, *_, oldest = (await api.get(f"{GOALS}/{goal_id}/memories")).json
    page = (await api.get(f"{GOALS}/{goal_id}/memories?limit=1&offset=1")).json

    assert list(newest) == keys_of(MemoryRow)
    expected = {"goalId": goal_id, "type": "note", "content": "memory 3", "metadata": {"runId": "run_3"}}
    assert newest | expected == newest
    assert oldest["content"] == "memory 1"
    assert [one["content"] for one in page] == ["memory 2"]


async def test_a_goal_without_runs_remembers_nothing(api: Api) -> None:
    await api.write(GOAL, "goal_1", goal.Created(objective=OBJECTIVE))
    await api.write(GOAL, "goal_1", goal.ScheduleAdded(schedule_id="s", schedule=Schedule(cron="@daily")))

    assert (await api.get(f"{GOALS}/goal_1/memories")).json == []
    assert (await api.get(f"{GOALS}/goal_1/memories?limit=101")).status == 400
