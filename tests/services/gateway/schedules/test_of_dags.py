"""Policies of the schedules that DAGs have, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.llm import LlmSettings
from tests.services.gateway.schedules.schedules import BAD, JOB

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway


async def patch_dag(api: Api, **body: Any) -> Any:
    answer = await api.patch("/api/v1/dags/dag1", body)
    assert answer.status == 200, answer.body
    shown = ("cronSchedule", "overlap", "catchUpSeconds", "jitterSeconds")
    return {key: answer.json[key] for key in shown}


async def test_a_dags_schedule_has_policies_too_and_keeps_them(api: Api) -> None:
    await api.write(DAG, "dag1", dag.Imported(job=JOB))
    nothing = {"overlap": None, "catchUpSeconds": None, "jitterSeconds": None}
    policies = {"overlap": "allow", "catchUpSeconds": 60, "jitterSeconds": 5}

    assert await patch_dag(api, overlap="allow") == {"cronSchedule": None, **nothing}
    usual = {"overlap": "allow", "catchUpSeconds": None, "jitterSeconds": 0}
    assert await patch_dag(api, cronSchedule="@daily") == {"cronSchedule": "@daily", **usual}
    assert await patch_dag(api, **policies) == {"cronSchedule": "@daily", **policies}
    assert await patch_dag(api, cronSchedule="@hourly") == {"cronSchedule": "@hourly", **policies}
    policies |= {"catchUpSeconds": None}
    assert await patch_dag(api, catchUpSeconds=None) == {"cronSchedule": "@hourly", **policies}
    assert await patch_dag(api, cronSchedule="") == {"cronSchedule": None, **nothing}


@pytest.mark.parametrize(
    ("body", "key"), [(body, key) for body, key in BAD if key in {"overlap", "jitterSeconds"}]
)
async def test_bad_policies_of_a_dag_are_refused_and_named(api: Api, body: Any, key: str) -> None:
    await api.write(DAG, "dag1", dag.Imported(job=JOB))

    answer = await api.patch("/api/v1/dags/dag1", body)

    assert answer.status == 400
    assert [issue["path"] for issue in answer.json["validation_errors"]] == [[key]]


async def test_a_new_dag_may_have_policies_for_its_schedule(start_gateway: StartGateway) -> None:
    api = await start_gateway(llm=LlmSettings(_env_file=None, llm_provider="ollama", llm_model="m"))
    agent_id = (await api.post("/api/v1/agents", {"name": "A", "version": "1", "promptTemplate": "p"})).json[
        "id"
    ]
    await api.post(f"/api/v1/agents/{agent_id}/activate")
    policies = {"overlap": "queue_one", "catchUpSeconds": 0, "jitterSeconds": 9}
    body = {"goal-text": "g", "agentName": "A", "cronSchedule": "@daily", **policies}

    answer = await api.post("/api/v1/create-dag", body, headers={"Prefer": "respond-async"})

    assert answer.status == 202
    shown = (await api.get(f"/api/v1/dags/{answer.json['dagId']}")).json
    assert shown | policies == shown
