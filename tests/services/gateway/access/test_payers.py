"""The key of the request that starts work pays for it, whoever made what it works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contracts.core.scopes import Scope
from contracts.domain import agent, dag, run
from contracts.domain.agent import AGENT
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL, Created
from contracts.domain.payer import payer_of, payer_of_schedule
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from tests.services.gateway.access.conftest import Guarded
from tests.services.gateway.executions.executions import WRITE_FILE, job, requested, suspended
from tests.services.gateway.shared import LLM

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

ASYNC = {"prefer": "respond-async"}
PLAN = {"goal-text": "Read the news", "agentName": "DecomposerV8"}
WELL = {"path": "b.md", "content": "y"}
BY_SCHEDULE = {"paid_by": "key:other"}


@pytest.fixture
async def guarded(start_gateway: StartGateway) -> Guarded:
    """A gateway with keys, and with a goal, a DAG and a suspended execution of others."""
    guarded = Guarded(await start_gateway(auth="keys", llm=LLM))
    api = guarded.api
    api.gateway.catalogue.add(WRITE_FILE)
    for name in ("inference", "DecomposerV8", "defaultAgent"):
        created = agent.Created(name=name, version_name="1", prompt_template="p")
        await api.write(AGENT, f"agent_{name}", created, agent.Activated(name=name))
    await api.write(GOAL, "goal_1", Created(objective="find it"))
    await api.write(DAG, "d1", dag.Imported(job=Job.model_validate(job())))
    await suspended(api, "e1")
    await api.write(RUN, "e2", requested().model_copy(update=BY_SCHEDULE))
    return guarded


async def payer(api: Api, aggregate: str, id_: str) -> str | None:
    return payer_of(one.commit for one in await api.log.read(aggregate, id_))


@pytest.mark.parametrize(
    ("path", "body", "aggregate", "id_"),
    [
        ("create-dag", PLAN, "dag", "dagId"),
        ("create-and-execute-dag", PLAN, "dag", "dagId"),
        ("execute-dag", {"dagId": "d1"}, "run", "executionId"),
        ("execute-dag", job(), "run", "executionId"),
        ("goals/goal_1/run", {}, "run", "runId"),
        ("dag-executions/e1/fork", {"from": "001"}, "run", "executionId"),
        ("dag-executions/e2/fork", {"from": "001"}, "run", "executionId"),
        ("resume-dag/e1", {}, "run", "executionId"),
        (
            "resume-dag/e1",
            {"steps": {"001": {"params": {"path": "b.md", "content": "y"}}}},
            "run",
            "executionId",
        ),
    ],
)
async def test_the_key_of_the_request_that_starts_work_pays_for_it(
    guarded: Guarded, path: str, body: object, aggregate: str, id_: str
) -> None:
    header = await guarded.key("ci", Scope.RUN) | ASYNC
    answer = await guarded.api.post(f"/api/v1/{path}", body, headers=header)
    assert answer.status in (200, 202), answer.json
    assert await payer(guarded.api, aggregate, answer.json[id_]) == "key:ci"


async def test_who_pauses_and_resumes_a_goal_pays_for_its_schedules_from_then_on(guarded: Guarded) -> None:
    ci, boss = await guarded.key("ci", Scope.RUN), await guarded.key("boss", Scope.RUN)
    wanted = {"objective": "Keep an eye on it", "schedule": {"cronExpr": "0 9 * * *"}}
    made = await guarded.api.post("/api/v1/goals", wanted, headers=ci)
    goal_id = made.json["id"]

    async def pays() -> str | None:
        return payer_of_schedule([one.commit for one in await guarded.api.log.read("goal", goal_id)])

    assert await pays() == "key:ci"
    for what in ("pause", "resume"):
        assert (await guarded.api.post(f"/api/v1/goals/{goal_id}/{what}", headers=boss)).status == 200
    assert await pays() == "key:boss"


async def test_a_budget_that_is_raised_for_a_stopped_run_is_paid_by_who_raises_it(guarded: Guarded) -> None:
    reached = run.BudgetReached(limit="steps", allowed="1", spent="1", reason="budget: …")
    await guarded.api.write(RUN, "e3", requested().model_copy(update=BY_SCHEDULE))
    await guarded.api.write(RUN, "e3", reached, run.Suspended(reason="budget: …"))
    header = await guarded.key("ci", Scope.RUN)
    answer = await guarded.api.post("/api/v1/dag-executions/e3/budget", {"steps": 9}, headers=header)
    assert answer.status == 200, answer.json
    assert await payer(guarded.api, "run", "e3") == "key:ci"
