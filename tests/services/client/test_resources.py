"""The client and the commands that use it, against a real gateway."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

import orjson
import pytest
from pydantic import TypeAdapter

from contracts.api.agents import AgentCreate, AgentPatch
from contracts.api.dags import DagPatch
from contracts.api.goals import GoalCreate
from contracts.api.schedules import ScheduleCreate
from contracts.client import Client, Refused
from contracts.core.event import Json
from contracts.core.tool import Effect, ToolSpec
from contracts.llm import LlmSettings
from deploy.cli.resources import goals, runs, schedules
from deploy.cli.resources.command import Unusable
from tests import jobs

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

T = TypeVar("T")

LLM = LlmSettings(_env_file=None, llm_provider="ollama", llm_model="m")
OBJECTIVE = "Keep the farm's books in order"
JOB = jobs.job_json(jobs.task(name="writeFile", params={"path": "note.txt"}))


class Exact:
    """A client, and what its answers were made of."""

    def __init__(self, api: Api) -> None:
        self._heard: list[bytes] = []
        self.client = Client(str(api.url), patience_s=5, on_answer=self._heard.append)

    async def __call__(self, asked: Awaitable[T]) -> T:
        """The answer, which says again exactly what the API has said."""
        answer = await asked
        said = orjson.loads(self._heard[-1]) if self._heard[-1] else None
        assert TypeAdapter(type(answer)).dump_python(answer, mode="json", by_alias=True) == said
        return answer


@pytest.fixture
async def exact(start_gateway: StartGateway) -> AsyncGenerator[Exact]:
    """Of a gateway with an LLM to ask, and one tool."""
    api = await start_gateway(llm=LLM)
    api.gateway.catalogue.add(
        ToolSpec(
            name="writeFile",
            description="writes",
            parameters={"type": "object", "properties": {"path": {"type": "string"}}},
            effect=Effect.IDEMPOTENT,
        )
    )
    exact = Exact(api)
    async with exact.client:
        yield exact


async def test_a_goal_from_its_creation_to_its_end(exact: Exact) -> None:
    client = exact.client
    made = await exact(goals.create(client, OBJECTIVE, step_budget=3, tool=["writeFile"], cron="@daily"))
    assert made.params == {"stepBudget": 3, "allowedTools": ["writeFile"]}
    (listed,) = await exact(client.goals.find(status="active"))
    assert [one.cron_expr for one in listed.schedules] == ["@daily"]
    assert (await exact(goals.pause(client, made.id))).status == "paused"
    assert await exact(client.goals.find(status="active")) == []
    assert (await exact(goals.resume(client, made.id))).status == "active"
    updated = await exact(goals.update(client, made.id, params='{"constraints": {"tone": "dry"}}'))
    assert (updated.objective, updated.params) == (OBJECTIVE, {"constraints": {"tone": "dry"}})
    assert (await exact(client.goals.get(made.id))).schedules[0].id == listed.schedules[0].id
    assert await exact(client.goals.memories(made.id, limit=5)) == []
    await exact(client.goals.delete(made.id))
    with pytest.raises(Refused, match="Goal not found") as refused:
        await client.goals.get(made.id)
    assert refused.value.status == 404


async def test_a_schedule_of_a_goal(exact: Exact) -> None:
    client = exact.client
    goal = (await goals.create(client, OBJECTIVE)).id
    made = await exact(schedules.create(client, goal, "0 9 * * MON", overlap="allow", catch_up=60))
    assert (made.overlap, made.catch_up_seconds, made.timezone) == ("allow", 60, "UTC")
    changed = await exact(schedules.update(client, goal, made.id, timezone="Europe/Paris"))
    assert (changed.cron_expr, changed.timezone) == ("0 9 * * MON", "Europe/Paris")
    assert not (await exact(schedules.pause(client, goal, made.id))).active
    assert (await exact(schedules.resume(client, goal, made.id))).active
    assert len((await exact(client.schedules.next(made.id, count=3))).next) == 3
    assert (await exact(client.schedules.ticks(made.id))).pagination.total == 0
    await exact(client.schedules.delete(goal, made.id))
    assert await exact(client.schedules.find(goal)) == []


async def test_a_run_of_a_goal(exact: Exact) -> None:
    client = exact.client
    goal = (await goals.create(client, OBJECTIVE)).id
    run = (await exact(client.goals.run(goal))).run_id
    (listed,) = await exact(client.runs.find(goal_id=goal))
    assert (listed.id, listed.status) == (run, "pending")
    assert (await exact(runs.cancel(client, run, "no need"))).cancelled_reason == "no need"
    async with aclosing(client.runs.events(run, after=0)) as events:
        told = [await anext(events) for _ in range(3)]
    assert [(one.type, one.is_last) for one in told][1:] == [("run.created", False), ("run.failed", True)]
    assert told[2].error == "cancelled: no need"
    assert await exact(client.runs.steps(run)) == []
    assert await exact(client.runs.outputs(run)) == []
    assert (await exact(client.runs.get(run))).goal.id == goal
    await exact(client.runs.delete(run))
    assert await exact(client.runs.find(status="failed")) == []


async def test_a_plan_of_ones_own_and_its_execution(exact: Exact) -> None:
    client = exact.client
    started = await client.dags.execute_job(JOB)
    assert (await exact(client.executions.get(started.execution_id))).dag_id == started.dag_id
    assert (await client.dags.execute(started.dag_id)).total_tasks == 1
    assert (await exact(client.executions.find(limit=1))).pagination.total == 2
    assert (await exact(client.executions.steps(started.execution_id))).sub_steps[0].task_id == "001"
    assert (await exact(client.executions.cancel(started.execution_id))).cancelled_at
    assert (await exact(client.executions.costs(started.execution_id))).totals.grand_total_cost_usd == 0
    assert len((await exact(client.dags.executions(started.dag_id))).executions) == 2
    assert len((await exact(client.dags.costs(started.dag_id))).executions) == 2
    deleted = await exact(client.executions.delete(started.execution_id))
    assert deleted.cascade_info.related_sub_steps_deleted == 2
    with pytest.raises(Refused, match="Cannot resume"):
        await client.executions.resume((await client.executions.find(status="pending")).executions[0].id)


async def test_a_dag_and_its_schedule(exact: Exact) -> None:
    client = exact.client
    dag = (await client.dags.execute_job(JOB)).dag_id
    changed = await exact(
        client.dags.update(dag, DagPatch(dagTitle="Notes", cronSchedule="@daily", scheduleActive=True))
    )
    assert (changed.dag_title, changed.schedule_active) == ("Notes", True)
    assert [one.id for one in await exact(client.dags.scheduled())] == [dag]
    assert (await exact(client.dags.find())).dags[0] == await exact(client.dags.get(dag))
    with pytest.raises(Refused, match=r"1 execution\(s\) exist"):
        await client.dags.delete(dag)


async def test_an_agent_in_two_versions(exact: Exact) -> None:
    client = exact.client
    first, second = [
        await exact(client.agents.create(AgentCreate(name="Poet", version=version, promptTemplate="Rhyme.")))
        for version in ("1", "2")
    ]
    assert (await exact(client.agents.activate(first.id))).active
    assert (await exact(client.agents.activate(second.id))).active
    assert (await exact(client.agents.resolve("Poet"))).id == second.id
    assert [one.id for one in await exact(client.agents.find(name="Poet", active=False))] == [first.id]
    assert (await exact(client.agents.update(first.id, AgentPatch(model="small")))).model == "small"
    await exact(client.agents.delete(first.id))
    with pytest.raises(Refused, match="Agent not found"):
        await client.agents.get(first.id)


async def test_tools_costs_and_readiness(exact: Exact) -> None:
    client = exact.client
    (tool,) = await exact(client.tools.find())
    assert await exact(client.tools.get("writeFile")) == tool
    assert (await exact(client.costs(since="7d", by="week"))).totals.total_cost_usd == 0
    readiness = await client.ready()
    assert (readiness.is_ready, list(readiness.problems)) == (False, ["planner", "executor"])


async def test_the_liveness_and_the_documents_of_a_system_are_read(exact: Exact) -> None:
    documents = exact.client.documents
    assert (await exact(exact.client.alive())).status == "ok"
    assert (await exact(documents.openapi()))["openapi"].startswith("3.1")
    assert (await exact(documents.asyncapi()))["asyncapi"].startswith("3.")
    assert (await documents.reference()).startswith("<!doctype html>")


async def test_a_request_repeated_with_its_key_creates_one_thing(exact: Exact) -> None:
    client = exact.client
    goal, again = [await client.goals.create(GoalCreate(objective=OBJECTIVE), key="a") for _ in range(2)]
    assert goal == again
    assert len({(await client.goals.run(goal.id, key="b")).run_id for _ in range(2)}) == 1
    assert len({(await client.dags.execute_job(JOB, key="c")).execution_id for _ in range(2)}) == 1
    daily = ScheduleCreate(cronExpr="@daily")
    assert len({(await client.schedules.create(goal.id, daily, key="d")).id for _ in range(2)}) == 1


async def test_the_log_is_followed_by_kind_and_id(exact: Exact) -> None:
    client = exact.client
    first, second = [(await goals.create(client, OBJECTIVE)).id for _ in range(2)]
    await client.goals.pause(first)
    async with aclosing(client.events(aggregates=("goal",), aggregate_id=first, after=0)) as events:
        told = [await anext(events) for _ in range(2)]
    assert [(one.subject, one.state, one.version) for one in told] == [
        (first, "active", 1),
        (first, "paused", 2),
    ]
    async with aclosing(client.events(types=("goal.created",), after=told[0].seq)) as events:
        assert (await anext(events)).subject == second


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"params": "{"}, "--params is not JSON"),
        ({"params": "[1]"}, "--params must be a JSON object"),
        ({"params": "null"}, "--params must be a JSON object"),
        ({"webhook": "no url"}, "webhookUrl"),
        ({"step_budget": 0}, "params.stepBudget"),
    ],
)
async def test_invalid_parameters_are_refused_before_they_are_sent(
    exact: Exact, given: dict[str, Json], message: str
) -> None:
    with pytest.raises(Unusable, match=message):
        await goals.create(exact.client, OBJECTIVE, **given)
    assert await exact.client.goals.find() == []
