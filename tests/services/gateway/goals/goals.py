"""Goals, agents for them and runs of them, as clients and executors make them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts.domain import run
from contracts.domain.run import RUN

if TYPE_CHECKING:
    from tests.services.conftest import Api

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
GOALS = "/api/v1/goals"
OBJECTIVE = "Find out what grows here"


async def create(api: Api, **body: Any) -> Any:
    answer = await api.post(GOALS, {"objective": OBJECTIVE, **body})
    assert answer.status == 201, answer.body
    return answer.json


async def new_agent(api: Api, name: str, version: str = "1", *, active: bool = True) -> str:
    body = {"name": name, "version": version, "promptTemplate": "Do {{objective}}", "metadata": {"k": 1}}
    agent_id: str = (await api.post("/api/v1/agents", body)).json["id"]
    if active:
        await api.post(f"/api/v1/agents/{agent_id}/activate")
    return agent_id


def turns(goal_id: str, **given: Any) -> run.GoalRequested:
    return run.GoalRequested(goal_id=goal_id, objective=OBJECTIVE, step_budget=5, **given)


def started() -> run.GoalStarted:
    used = run.AgentUsed(name="A", version_name="1", prompt_template="p")
    return run.GoalStarted(executor="e", at=NOW, agent=used, temperature=0.7, max_tokens=100)


async def running(api: Api, goal_id: str, run_id: str) -> None:
    await api.write(RUN, run_id, turns(goal_id))
    await api.write(RUN, run_id, started(), run.StepsStarted(steps=("1",)))


BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["objective"]),
    ({"objective": "too short"}, ["objective"]),
    ({"objective": "x" * 10_001}, ["objective"]),
    ({"objective": 5}, ["objective"]),
    ({"objective": None}, ["objective"]),
    ({"params": None}, ["params"]),
    ({"params": []}, ["params"]),
    ({"params": {"stepBudget": 0}}, ["params", "stepBudget"]),
    ({"params": {"stepBudget": 1.5}}, ["params", "stepBudget"]),
    ({"params": {"stepBudget": "5"}}, ["params", "stepBudget"]),
    ({"params": {"allowedTools": "readFile"}}, ["params", "allowedTools"]),
    ({"params": {"constraints": ["short"]}}, ["params", "constraints"]),
    ({"params": {"strategy": "guess"}}, ["params", "strategy"]),
    ({"params": {"temperature": 3}}, ["params", "temperature"]),
    ({"webhookUrl": "nonsense"}, ["webhookUrl"]),
    ({"webhookUrl": "ftp://x/y"}, ["webhookUrl"]),
    ({"webhookUrl": "http:/x"}, ["webhookUrl"]),
    ({"webhookUrl": "http:x"}, ["webhookUrl"]),
    ({"webhookUrl": "https:///x"}, ["webhookUrl"]),
    ({"webhookUrl": "http://x/" + "y" * 2048}, ["webhookUrl"]),
]
