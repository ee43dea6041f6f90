"""What unmodified clients of the system before this one rely on, asked of real processes as they ask it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from tests.conftest import Eventually
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

JSON = {"Content-Type": "application/json"}
GOAL_TEXT = "Compare solar and wind power for a small farm"
TOOLS = ["webSearch", "fetchPage", "fetchURLs", "writeFile", "readFile", "sendWebhook", "sendEmail"]
ADDED = ["askHuman"]
"""Tools that the replaced system did not have. They are used only if a job or a goal names them."""
SEEDED = {
    "defaultAgent",
    "DecomposerV8",
    "DecomposerV7",
    "TitleMaster",
    "inference",
    "ParaphrasePro",
    "SketchMentor",
}
UNKNOWN = (
    ("GET", "goals/goal_none"),
    ("GET", "runs/run_none"),
    ("GET", "agents/agent_none"),
    ("GET", "agents/resolve/nobody"),
    ("GET", "tools?name=nothing"),
    ("GET", "dags/none"),
    ("DELETE", "dag/none"),
    ("GET", "dag-executions/none"),
    ("GET", "dag-executions/none/events"),
    ("POST", "resume-dag/none"),
    ("GET", "artifacts/none.txt"),
    ("GET", "nothing/like/this"),
)


class OldClient:
    """HTTP as it is: status, headers and body."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, CIMultiDictProxy[str]]:
        data = None if body is None else json.dumps(body)
        given = {**({} if body is None else JSON), **headers}
        async with self._session.request(method, f"{self._url}{path}", data=data, headers=given) as answer:
            raw = await answer.read()
            is_json = answer.content_type == "application/json" and raw
            return answer.status, json.loads(raw) if is_json else raw.decode(), answer.headers

    async def api(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        status, said, _ = await self.ask(method, f"/api/v1/{path}", body, **headers)
        return status, said

    async def frames(self, path: str, last: str) -> tuple[CIMultiDictProxy[str], list[dict[str, Any]]]:
        """The events of a stream up to the one called `last`."""
        told: list[dict[str, Any]] = []
        origin = {"Origin": "http://localhost:5173"}
        async with self._session.get(f"{self._url}/api/v1/{path}", headers=origin) as answer:
            name = ""
            while name != last:
                line = (await answer.content.readline()).decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    told.append(json.loads(line[6:]))
                    assert told[-1]["type"] == name
            return answer.headers, told


@pytest_asyncio.fixture(loop_scope="session")
async def old(bed: Bed) -> AsyncGenerator[OldClient]:
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        yield OldClient(session, bed.system.url)


async def executed(old: OldClient, job: dict[str, Any]) -> str:
    status, started = await old.api("POST", "execute-dag", job)
    assert (status, started["status"]) == (202, "started")
    return str(started["executionId"])


async def test_a_plan_is_made_executed_watched_and_paid_for(old: OldClient) -> None:
    """Points 3, 6, 7, 8, 9 and 11 of what clients rely on."""
    status, planned = await old.api(
        "POST", "create-dag", {"goal-text": GOAL_TEXT, "agentName": "DecomposerV8"}
    )
    assert (status, planned["status"]) == (200, "success")
    dag_id = planned["dagId"]
    status, row = await old.api("GET", f"dags/{dag_id}")
    assert row["status"] == "success"
    assert row["result"]["sub_tasks"][0]["dependencies"] == ["none"]
    assert row["params"]["goalText"] == GOAL_TEXT
    assert isinstance(row["planningTotalCostUsd"], str)
    status, started = await old.api("POST", "execute-dag", {"dagId": dag_id, "id": "besides"})
    assert (status, started["status"], started["dagId"]) == (202, "started", dag_id)

    execution_id = started["executionId"]
    headers, told = await old.frames(f"dag-executions/{execution_id}/events", "execution.completed")
    assert headers["Content-Type"].startswith("text/event-stream")
    assert headers["Access-Control-Allow-Origin"] == "http://localhost:5173"
    assert told[0]["type"] == "execution.updated"
    steps = [event for event in told if event["type"].startswith("substep.")]
    of_tasks = [event for event in steps if event["subStepId"] != "__SYNTHESIS__"]
    assert all(event["taskId"] == int(event["subStepId"]) for event in of_tasks)
    *_, last = steps
    assert (last["type"], last["taskId"]) == ("substep.completed", "__SYNTHESIS__"), (
        "or a page stays below 100 %"
    )

    status, shown = await old.api("GET", f"dag-executions/{execution_id}")
    assert (status, shown["status"]) == (200, "completed")
    assert shown["completedTasks"] == shown["totalTasks"]
    assert set(shown["totalUsage"]) == {"promptTokens", "completionTokens", "totalTokens"}
    assert datetime.fromisoformat(shown["completedAt"]).tzinfo is not None
    assert shown["completedAt"].endswith("Z")
    *tasks, report = shown["subSteps"]
    assert (report["taskId"], report["result"]) == ("__SYNTHESIS__", shown["finalResult"])
    assert all(isinstance(json.loads(task["result"]), dict) for task in tasks if task["actionType"] == "tool")
    status, costs = await old.api("GET", f"dag-executions/{execution_id}/costs")
    assert all(isinstance(cost, str) for cost in costs["totals"].values())
    status, page = await old.api("GET", f"dags/{dag_id}/executions")
    assert (page["total"], page["limit"], page["offset"]) == (1, 50, 0)
    assert (await old.api("DELETE", f"dags/{dag_id}"))[0] == 409
    assert (await old.api("DELETE", f"dag-executions/{execution_id}", {}))[0] == 200
    assert (await old.api("DELETE", f"dag/{dag_id}"))[0] == 200


async def test_a_question_is_not_an_error_and_executing_at_once_says_so(old: OldClient) -> None:
    """Points 3 and 7."""
    body = {"goal-text": "Say what that would cost", "agentName": "DecomposerV8"}
    status, asked = await old.api("POST", "create-dag", body)
    assert (status, asked["status"]) == (200, "clarification_required")
    assert asked["clarification_query"]
    assert "generation_stats" in asked
    status, executing = await old.api("POST", "create-and-execute-dag", {**body, "goal-text": GOAL_TEXT})
    assert (status, executing["status"]) == (202, "executing")
    assert executing["dagId"]
    assert executing["executionId"]


async def test_goals_and_their_runs(old: OldClient, eventually: Eventually) -> None:
    """Points 3, 4 and 5: a command line that sends a JSON type with every empty body."""
    body = {"objective": "Look after the old windmill", "schedule": {"cronExpr": "0 9 * * *"}, "agentId": ""}
    status, goal = await old.api("POST", "goals", body)
    assert (status, goal["status"]) == (201, "active")
    path = f"goals/{goal['id']}"
    status, paused = await old.api("POST", f"{path}/pause", **JSON)
    assert (status, paused["message"], paused["id"], paused["status"]) == (
        200,
        "Goal paused",
        goal["id"],
        "paused",
    )
    status, resumed = await old.api("POST", f"{path}/resume", {})
    assert (status, resumed["message"]) == (200, "Goal resumed")
    status, triggered = await old.api("POST", f"{path}/run", **JSON)
    assert (status, triggered["message"]) == (200, "Run triggered")

    async def ended() -> Any:
        run = (await old.api("GET", f"runs/{triggered['runId']}"))[1]
        return run if run["status"] in {"completed", "failed"} else None

    run = await eventually(ended)
    assert (run["status"], run["goal"]["id"]) == ("completed", goal["id"])
    status, steps = await old.api("GET", f"runs/{triggered['runId']}/steps")
    assert [step["stepNo"] for step in steps] == list(range(1, run["stepsExecuted"] + 1))
    for listed in ("goals", "runs", f"runs?goalId={goal['id']}"):
        assert isinstance((await old.api("GET", listed))[1], list)
    status, said, _ = await old.ask("DELETE", f"/api/v1/{path}", **JSON)
    assert (status, said) == (204, "")


async def test_every_page_of_the_web_app_has_its_data(old: OldClient, bed: Bed) -> None:
    """Points 4, 10, 12, 13 and 14."""
    status, ready, _ = await old.ask("GET", "/health/ready")
    assert (status, ready["status"]) == (200, "ready")
    assert isinstance(ready["scheduler"]["activeSchedules"], int)
    assert {"provider", "model", "timestamp", "database", "llmProvider"} <= ready.keys()
    agents = (await old.api("GET", "agents?active=true"))[1]
    assert {agent["name"] for agent in agents} >= SEEDED
    assert all(isinstance(agent["metadata"], dict) for agent in agents)
    tools = (await old.api("GET", "tools"))[1]
    assert [tool["function"]["name"] for tool in tools] == TOOLS + ADDED
    assert (
        (await old.api("GET", "tools?name=webSearch"))[1]
        == tools[0]
        == (await old.api("GET", "tools/webSearch"))[1]
    )
    assert isinstance((await old.api("GET", "dags/scheduled"))[1], list)
    assert isinstance((await old.api("GET", "artifacts"))[1], list)
    assert (await old.api("GET", "dags?limit=1"))[1]["pagination"].keys() >= {"limit", "offset", "count"}
    (bed.data / "artifacts").mkdir(exist_ok=True)
    (bed.data / "artifacts" / "old.json").write_text('{"a": 1}')
    async with aiohttp.ClientSession() as session:
        answer = await session.get(f"{bed.system.url}/api/v1/artifacts/old.json")
        assert await answer.text() == '{"a": 1}'
    preflight = {"Origin": "http://localhost:5174", "Access-Control-Request-Method": "PATCH"}
    status, _, headers = await old.ask("OPTIONS", "/api/v1/goals", **preflight)
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, "http://localhost:5174")


@pytest.mark.parametrize(("method", "path"), UNKNOWN)
async def test_every_error_is_a_text_called_error(old: OldClient, method: str, path: str) -> None:
    """Point 2."""
    status, said = await old.api(method, path)
    assert status == 404
    assert isinstance(said["error"], str)


async def test_agents_by_version(old: OldClient) -> None:
    """Point 3."""
    made = {"name": "old-timer", "version": "1", "promptTemplate": "Be brief."}
    status, agent = await old.api("POST", "agents", made)
    assert (status, agent["active"]) == (201, False)
    assert (await old.api("POST", "agents", made))[0] == 409
    status, active = await old.api("POST", f"agents/{agent['id']}/activate", **JSON)
    assert (status, active["active"]) == (200, True)
    assert (await old.api("GET", "agents/resolve/old-timer"))[1]["id"] == agent["id"]
    status, refused = await old.api("DELETE", f"agents/{agent['id']}")
    assert (status, refused["error"]) == (400, "Cannot delete active agent. Activate another version first.")


async def test_every_operation_refuses_what_it_cannot_do_as_it_says(old: OldClient) -> None:
    """Ids of nothing and empty bodies: a documented status, and what is wrong in `error`."""
    document = (await old.ask("GET", "/openapi.json"))[1]
    asked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method not in {"get", "post", "patch", "put", "delete"} or path == "/api/v1/events":
                continue
            url = re.sub(r"\{\w+\}", "none", path)
            status, said, headers = await old.ask(method.upper(), url, None if method == "get" else {})
            assert str(status) in operation["responses"], (method, path, status)
            if status >= 400 and headers["Content-Type"].startswith("application/json"):
                assert isinstance(said["error"], str), (method, path, said)
            asked += 1
    assert asked > 55


async def test_stored_objects_can_be_changed(old: OldClient) -> None:
    """PATCH of goals, schedules, agents and DAGs; the rest of what hangs on them."""
    status, goal = await old.api("POST", "goals", {"objective": "Look after the old mill", "params": {}})
    path = f"goals/{goal['id']}"
    status, changed = await old.api("PATCH", path, {"params": {"stepBudget": 3}, "webhookUrl": None})
    assert (status, changed["params"]) == (200, {"stepBudget": 3})
    status, schedule = await old.api("POST", f"{path}/schedules", {"cronExpr": "0 9 * * MON-FRI"})
    assert (status, schedule["active"]) == (201, True)
    status, moved = await old.api("PATCH", f"{path}/schedules/{schedule['id']}", {"timezone": "Europe/Paris"})
    assert (status, moved["timezone"]) == (200, "Europe/Paris")
    status, coming = await old.api("GET", f"schedules/{schedule['id']}/next?count=2")
    assert (status, len(coming["next"])) == (200, 2)
    assert (await old.api("GET", f"schedules/{schedule['id']}/ticks"))[1]["ticks"] == []
    assert (await old.api("DELETE", f"{path}/schedules/{schedule['id']}"))[0] == 204
    assert (await old.api("GET", f"{path}/memories"))[1] == []
    assert [one["id"] for one in (await old.api("GET", "goals"))[1]].count(goal["id"]) == 1

    status, agent = await old.api("POST", "agents", {"name": "p", "version": "1", "promptTemplate": "x"})
    status, renamed = await old.api("PATCH", f"agents/{agent['id']}", {"version": "2", "active": True})
    assert (status, renamed["version"], renamed["active"]) == (200, "2", False)
    assert (await old.api("GET", f"agents/{agent['id']}"))[1]["version"] == "2"
    assert (await old.api("DELETE", f"agents/{agent['id']}"))[0] == 204

    wanted = {"goal-text": GOAL_TEXT, "agentName": "DecomposerV8"}
    dag_id = (await old.api("POST", "create-dag", wanted))[1]["dagId"]
    status, row = await old.api("PATCH", f"dags/{dag_id}", {"dagTitle": "Mine", "cronSchedule": "0 9 * * *"})
    assert (status, row["dagTitle"], row["scheduleActive"]) == (200, "Mine", False)
    listed = [one for one in (await old.api("GET", "dags/scheduled"))[1] if one["id"] == dag_id]
    assert listed[0]["schedule_description"] == "At 09:00 AM"
    assert (await old.api("PATCH", f"dags/{dag_id}", {"cronSchedule": "nonsense"}))[0] == 400
    status, started = await old.api("POST", "dag-run", {"dagId": dag_id})
    assert status == 200
    await old.frames(f"dag-executions/{started['executionId']}/events", "execution.completed")
    status, refused = await old.api("POST", f"resume-dag/{started['executionId']}")
    assert (status, refused["currentStatus"]) == (400, "completed")
    assert (await old.api("GET", f"dags/{dag_id}/costs"))[1]["totals"].keys() >= {"executionsCostUsd"}
    status, summary = await old.api("GET", "costs/summary?groupBy=month")
    assert isinstance(summary["totals"]["totalCostUsd"], str)
    assert (await old.api("GET", "costs/summary?groupBy=year"))[0] == 400
