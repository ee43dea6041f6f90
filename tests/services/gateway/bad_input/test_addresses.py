"""Ids and queries: what is not there, what is out of range, and what is asked for many times."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from contracts.domain import agent, dag, run
from contracts.domain.agent import AGENT
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from gateway.app import ENDPOINTS
from gateway.documents.openapi import template
from tests.services.gateway.bad_input.refusals import DOCUMENT, JOB, Refusals, body_of, name_of, path_of

if TYPE_CHECKING:
    from tests.services.conftest import Api

WITH_ID = [one for one in ENDPOINTS if one.missing]
NOT_IDS = ("nobody", "%2A", "%3E", "a.b", "a%20b", "x" * 65, "%00", "%ED%A0%80", "..%2F..")


@pytest.mark.parametrize("value", NOT_IDS)
async def test_an_unknown_id_of_any_form_is_not_found(api: Api, refusals: Refusals, value: str) -> None:
    for endpoint in WITH_ID:
        asking = api.call(endpoint.method, path_of(endpoint, value), json=body_of(endpoint))
        others = {400} if endpoint.body or value == "%00" else set(endpoint.errors) & {403}
        await refusals.expect(asking, 404, *others, about=name_of(endpoint))


def bad_queries(parameter: Any) -> Iterator[str]:
    """Values that the parameter must not have."""
    schema = parameter["schema"]
    if schema.get("type") == "integer":
        yield from ("x", "1.5", "null", "1_0", "9" * 30)
        yield from (str(schema[key] - 1) for key in ("minimum",) if key in schema)
        yield from (str(schema[key] + 1) for key in ("maximum",) if key in schema)
    if "enum" in schema:
        yield from ("nonsense", "")
    if schema.get("type") == "boolean":
        yield "perhaps"


async def test_a_query_out_of_range_is_refused(api: Api, refusals: Refusals) -> None:
    tried = 0
    for endpoint in ENDPOINTS:
        operation = DOCUMENT["paths"][template(endpoint.path)][endpoint.method.lower()]
        for parameter in operation.get("parameters", ()):
            for value in bad_queries(parameter) if parameter["in"] == "query" else ():
                query = f"{path_of(endpoint, 'd1')}?{parameter['name']}={value}"
                await refusals.expect(api.call(endpoint.method, query), 400, about=query)
                tried += 1
    assert tried > 50


@pytest.mark.parametrize(
    ("path", "key"), [("/api/v1/dags", "dags"), ("/api/v1/dag-executions", "executions")]
)
async def test_a_page_after_the_last_is_empty_and_tells_how_many_there_are(
    api: Api, path: str, key: str
) -> None:
    answer = await api.get(f"{path}?offset=1000&limit=100")
    assert answer.json[key] == []
    assert answer.json["pagination"] == {"limit": 100, "offset": 1000, "count": 0, "total": 1}


@pytest.mark.parametrize(
    ("method", "path", "body", "won", "lost"),
    [
        ("POST", "/api/v1/agents", {"name": "B", "version": "1", "promptTemplate": "p"}, 201, {409}),
        ("DELETE", "/api/v1/agents/a2", None, 204, {404}),
        ("DELETE", "/api/v1/dags/d2", None, 200, {404}),
        ("DELETE", "/api/v1/dag-executions/e1", None, 200, {404}),
        ("DELETE", "/api/v1/goals/g1", None, 204, {404}),
        ("POST", "/api/v1/dags/d3/clarify", {"answer": "that"}, 202, {409}),
        ("POST", "/api/v1/resume-dag/e2", None, 202, {400}),
        ("POST", "/api/v1/dag-executions/e1/cancel", {}, 200, {200}),
        ("POST", "/api/v1/agents/a1/activate", None, 200, {200}),
        ("PATCH", "/api/v1/dags/d1", {"dagTitle": "New"}, 200, {200}),
    ],
)
async def test_of_equal_requests_at_the_same_time_one_is_carried_out(
    api: Api, method: str, path: str, body: Any, won: int, lost: set[int]
) -> None:
    """Whoever comes late is told how things are then."""
    await api.write(AGENT, "a2", agent.Created(name="Other", version_name="1", prompt_template="p"))
    await api.write(DAG, "d2", dag.Imported(job=JOB))
    asked = dag.ClarificationAsked(query="which?", job=JOB)
    await api.write(DAG, "d3", dag.Requested(goal_text="g", agent_name="Planner"), asked)
    wanted = run.Requested(dag_id="d1", original_request="o", job=JOB)
    await api.write(RUN, "e2", wanted, run.Suspended(reason="no"))
    answers = await asyncio.gather(*(api.call(method, path, json=body) for _ in range(8)))
    statuses = sorted(answer.status for answer in answers)
    assert won in statuses
    assert set(statuses) <= {won, *lost}
    if won not in lost:
        assert statuses.count(won) == 1
