"""What runs may do, as goals, DAGs, jobs and requests for runs say over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.domain import dag, run
from contracts.domain.budget import Budget
from contracts.domain.dag import DAG
from contracts.domain.executors import ExecutorAlive
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_id
from tests.services.gateway.executions.executions import WRITE_FILE, job, task
from tests.services.gateway.shared import LLM, add_default_agents

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

OBJECTIVE = "Find out what grows here"
ALIVE = ExecutorAlive(instance="e1", capacity=1, tools=("writeFile", "sendEmail")).model_dump_json().encode()
OWN = {"approvals": ["sendEmail"], "outwardCalls": "ask", "budget": {"usd": "1", "steps": 5}}


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    """A gateway with a model, an agent, two tools, and a DAG with a policy of its own."""
    api = await start_gateway(llm=LLM)
    for name in ("writeFile", "sendEmail"):
        api.gateway.catalogue.add(WRITE_FILE.model_copy(update={"name": name}))
    api.gateway.executors.record_heartbeat(ALIVE)
    await add_default_agents(api)
    plan = Job.model_validate(
        job(approvals=["writeFile"], outward_calls="ask", budget={"usd": 2, "seconds": 60})
    )
    await api.write(DAG, "d1", dag.Imported(job=plan))
    return api


async def state(api: Api, run_id: str) -> run.State:
    return RUN.fold(event for one in await api.log.read("run", run_id) for event in one.commit.events)


async def new_goal(api: Api, **params: Any) -> str:
    answer = await api.post("/api/v1/goals", {"objective": OBJECTIVE, "params": params})
    assert answer.status == 201, answer.body
    assert answer.json["params"] == params
    goal_id: str = answer.json["id"]
    return goal_id


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        (
            "goals",
            {"objective": OBJECTIVE, "params": {"approvals": ["sendMail"]}},
            ["params", "approvals", 0],
        ),
        ("create-dag", {"goal-text": "g", "agentName": "DecomposerV8", "approvals": ["sendMail"]}, None),
        (
            "create-and-execute-dag",
            {"goal-text": "g", "agentName": "DecomposerV8", "approvals": ["sendMail"]},
            None,
        ),
        ("execute-dag", {"dagId": "d1", "approvals": ["sendMail"]}, None),
        ("execute-dag", {"job": job(), "approvals": ["sendMail"]}, None),
        ("execute-dag", {"job": job(approvals=["sendMail"])}, ["job", "approvals", 0]),
        ("execute-dag", job(approvals=["sendMail"]), None),
        ("dag-run", {"dagId": "d1", "approvals": ["sendMail"]}, None),
    ],
)
async def test_an_approval_of_a_tool_that_there_is_not_is_refused_and_nothing_is_written(
    api: Api, path: str, body: Any, at: list[Any] | None
) -> None:
    before = await api.log.last_seq()
    answer = await api.post(f"/api/v1/{path}", body)
    assert answer.status == 400
    (issue,) = answer.json["validation_errors"]
    assert issue["path"] == (at or ["approvals", 0])
    assert "there is no tool 'sendMail'" in issue["message"]
    assert "did you mean 'sendEmail'?" in issue["message"]
    assert await api.log.last_seq() == before


async def test_the_limits_of_a_goal_are_those_of_its_runs_and_are_shown(api: Api) -> None:
    goal_id = await new_goal(api, **OWN)
    run_id = (await api.post(f"/api/v1/goals/{goal_id}/run")).json["runId"]
    wanted = (await state(api, run_id)).loop
    assert wanted
    assert wanted.request.approvals == ("sendEmail",)
    shown = (await api.get(f"/api/v1/runs/{run_id}")).json
    assert (shown["approvals"], shown["outwardCalls"]) == (["sendEmail"], "ask")


async def test_a_run_of_a_goal_can_be_limited_further_and_the_goal_stays_as_it_is(api: Api) -> None:
    goal_id = await new_goal(api, **OWN)
    own = {"approvals": ["writeFile"], "outwardCalls": "forbid", "budget": {"steps": 9}}
    run_id = (await api.post(f"/api/v1/goals/{goal_id}/run", own)).json["runId"]
    wanted = (await state(api, run_id)).loop
    assert wanted
    assert wanted.request.approvals == ("sendEmail", "writeFile")
    assert wanted.request.outward_calls == "forbid"
    assert wanted.request.budget == Budget(usd="1", steps=9)
    assert (await api.get(f"/api/v1/goals/{goal_id}")).json["params"] == OWN


async def test_a_run_of_a_goal_by_a_plan_is_planned_with_its_own_limits(api: Api) -> None:
    goal_id = await new_goal(api, strategy="dag")
    run_id = (await api.post(f"/api/v1/goals/{goal_id}/run", OWN)).json["runId"]
    (recorded,) = await api.log.read("dag", plan_id(run_id))
    (requested,) = recorded.commit.events
    assert isinstance(requested, dag.Requested)
    assert requested.approvals == ("sendEmail",)
    assert requested.outward_calls == "ask"
    assert requested.budget == Budget(usd="1", steps=5)
    shown = (await api.get(f"/api/v1/runs/{run_id}")).json
    assert (shown["approvals"], shown["outwardCalls"]) == (["sendEmail"], "ask")


@pytest.mark.parametrize("path", ["execute-dag", "dag-run"])
async def test_an_execution_of_a_dag_can_be_limited_further_and_the_dag_stays_as_it_is(
    api: Api, path: str
) -> None:
    own = {"dagId": "d1", "approvals": ["sendEmail"], "outwardCalls": "forbid", "budget": {"usd": 3}}
    execution_id = (await api.post(f"/api/v1/{path}", own)).json["executionId"]
    request = (await state(api, execution_id)).request
    assert request
    assert request.job.approvals == ("writeFile", "sendEmail")
    assert request.job.outward_calls == "forbid"
    assert request.job.budget == Budget(usd="3", seconds=60)
    shown = (await api.get(f"/api/v1/dag-executions/{execution_id}")).json
    assert (shown["approvals"], shown["outwardCalls"]) == (["writeFile", "sendEmail"], "forbid")
    assert (await api.get("/api/v1/dags/d1")).json["result"]["approvals"] == ["writeFile"]


async def test_limits_beside_a_job_are_those_of_the_execution_and_limits_in_it_those_of_the_dag(
    api: Api,
) -> None:
    inside = {"approvals": ["writeFile"], "budget": {"usd": "2"}}
    beside = {"approvals": ["sendEmail"], "budget": {"usd": 1}}
    for body, expected in (
        ({"job": job(**inside), **beside}, ["writeFile", "sendEmail"]),
        (job(**inside), ["writeFile"]),
    ):
        answer = await api.post("/api/v1/execute-dag", body)
        request = (await state(api, answer.json["executionId"])).request
        assert request
        assert list(request.job.approvals) == expected
        stored = (await api.get(f"/api/v1/dags/{answer.json['dagId']}")).json["result"]
        assert {key: stored[key] for key in inside} == inside


async def test_a_whole_job_may_have_null_limits(api: Api) -> None:
    answer = await api.post("/api/v1/execute-dag", job(budget=None, outward_calls=None))
    assert answer.status == 202


@pytest.mark.parametrize("path", ["execute-dag", "dag-run", "goals/{goal}/run"])
async def test_a_run_cannot_have_a_policy_that_is_less_strict(api: Api, path: str) -> None:
    goal_id = await new_goal(api, outwardCalls="ask")
    before = await api.log.last_seq()
    body = {"outwardCalls": "allow"} | ({} if "goal" in path else {"dagId": "d1"})
    answer = await api.post(f"/api/v1/{path.format(goal=goal_id)}", body)
    assert answer.status == 400
    (issue,) = answer.json["validation_errors"]
    assert issue["path"] == ["outwardCalls"]
    assert "give 'ask' or 'forbid'" in issue["message"]
    assert await api.log.last_seq() == before


async def test_an_unknown_limit_is_refused_with_a_suggestion(api: Api) -> None:
    goal_id = await new_goal(api)
    answer = await api.post(f"/api/v1/goals/{goal_id}/run", {"approval": ["sendEmail"]})
    assert answer.status == 400
    assert "did you mean 'approvals'?" in answer.json["validation_errors"][0]["message"]


async def test_a_fork_has_the_approvals_of_its_original(api: Api) -> None:
    body = {"job": job(task("001"), task("002", "001")), "approvals": ["writeFile"]}
    original = (await api.post("/api/v1/execute-dag", body)).json["executionId"]
    answer = await api.post(f"/api/v1/dag-executions/{original}/fork", {"from": "002"})
    fork_id = answer.json["executionId"]
    assert (await api.get(f"/api/v1/dag-executions/{fork_id}")).json["approvals"] == ["writeFile"]
