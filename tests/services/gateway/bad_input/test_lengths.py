"""How long a text may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from contracts.domain import dag
from contracts.domain.dag import DAG
from tests.services.gateway.bad_input.refusals import JOB, Refusals

if TYPE_CHECKING:
    from tests.services.conftest import Api

TOO_LONG = "x" * 700_000
LONG: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/api/v1/agents", {"name": TOO_LONG, "version": "1", "promptTemplate": "p"}),
    ("PATCH", "/api/v1/agents/a1", {"version": TOO_LONG}),
    ("POST", "/api/v1/create-dag", {"goal-text": "g", "agentName": "Planner", "model": TOO_LONG}),
    ("POST", "/api/v1/execute-dag", {"job": JOB.model_dump(mode="json"), "dagTitle": TOO_LONG}),
    ("PATCH", "/api/v1/dags/d1", {"dagTitle": TOO_LONG}),
    ("PATCH", "/api/v1/dags/d1", {"status": TOO_LONG}),
    ("POST", "/api/v1/dag-executions/e1/cancel", {"reason": TOO_LONG}),
    ("POST", "/api/v1/goals", {"objective": TOO_LONG}),
    ("PATCH", "/api/v1/goals/g1", {"objective": TOO_LONG}),
]


async def test_a_text_that_is_too_long_is_refused_whole(api: Api, refusals: Refusals) -> None:
    for method, path, body in LONG:
        (key,) = [key for key, value in body.items() if len(orjson.dumps(value)) > 600_000]
        await refusals.expect(api.call(method, path, json=body), 400, 413, about=f"{method} {path} {key}")


async def test_a_prompt_may_be_as_long_as_a_body(api: Api) -> None:
    made = await api.post("/api/v1/agents", {"name": "Long", "version": "1", "promptTemplate": TOO_LONG})
    assert made.status == 201
    url = f"/api/v1/agents/{made.json['id']}"
    assert (await api.get(url)).json["promptTemplate"] == TOO_LONG
    changed = await api.patch(url, {"promptTemplate": TOO_LONG + "y"})
    assert (changed.status, changed.json["promptTemplate"]) == (200, TOO_LONG + "y")


@pytest.mark.parametrize("path", ["/api/v1/create-dag", "/api/v1/create-and-execute-dag"])
async def test_a_goal_may_be_as_long_as_a_body(api: Api, path: str) -> None:
    answer = await api.post(path, {"goal-text": TOO_LONG, "agentName": "Planner"})
    assert answer.status == 202
    row = (await api.get(f"/api/v1/dags/{answer.json['dagId']}")).json
    assert row["params"]["goalText"] == TOO_LONG


async def test_an_answer_may_be_as_long_as_a_body(api: Api) -> None:
    asked = dag.ClarificationAsked(query="which?", job=JOB)
    await api.write(DAG, "d2", dag.Requested(goal_text="g", agent_name="Planner"), asked)
    assert (await api.post("/api/v1/dags/d2/clarify", {"answer": TOO_LONG})).status == 202


async def test_a_request_that_is_long_but_can_be_kept_is_executed_whole(api: Api) -> None:
    """However long it is in the words of the job: not a DAG without its execution."""
    long = JOB.model_dump(mode="json") | {"original_request": TOO_LONG}
    answer = await api.post("/api/v1/execute-dag", {"job": long})
    assert (answer.status, answer.json["originalRequest"]) == (202, TOO_LONG)
    execution = await api.get(f"/api/v1/dag-executions/{answer.json['executionId']}")
    assert execution.json["originalRequest"] == TOO_LONG
