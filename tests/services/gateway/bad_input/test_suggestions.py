"""A word that is unknown is refused, with the one that was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.services.gateway.bad_input.refusals import WITH_BODY, name_of, path_of

if TYPE_CHECKING:
    from tests.services.conftest import Api

UNKNOWN = {"nobody knows": [1, {"this": None}]}


async def test_an_unknown_key_is_refused_and_named(api: Api) -> None:
    for endpoint in WITH_BODY:
        answer = await api.call(endpoint.method, path_of(endpoint, "nobody"), json=UNKNOWN)
        assert answer.status == 400, name_of(endpoint)
        found = [one for one in answer.json["validation_errors"] if one["code"] == "unrecognized_keys"]
        assert [(one["keys"], one["path"]) for one in found] == [(["nobody knows"], [])], name_of(endpoint)


@pytest.mark.parametrize(
    ("method", "path", "body", "where", "hint"),
    [
        ("POST", "goals", {"params": {"stepsBudget": 5}}, ["params"], "did you mean 'stepBudget'?"),
        ("POST", "goals", {"schedule": {"cron": "@daily"}}, ["schedule"], "did you mean 'cronExpr'?"),
        ("PATCH", "agents/a1", {"prompt": "p"}, [], "did you mean 'promptTemplate'?"),
        ("POST", "create-dag", {"goalText": "g"}, [], "did you mean 'goal-text'?"),
        ("POST", "execute-dag", {"dagID": "d1"}, [], "did you mean 'dagId'?"),
        ("PATCH", "dags/d1", {"colour": "red"}, [], "known are overlap, catchUpSeconds"),
    ],
)
async def test_a_close_key_is_suggested(
    api: Api, method: str, path: str, body: Any, where: list[str], hint: str
) -> None:
    before = await api.log.last_seq()
    answer = await api.call(method, f"/api/v1/{path}", json=body)
    (issue,) = [one for one in answer.json["validation_errors"] if one["code"] == "unrecognized_keys"]
    assert issue["path"] == where
    assert hint in issue["message"]
    assert await api.log.last_seq() == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        (
            "PATCH",
            "goals/g1",
            {"agentName": "Planner", "agentId": "a1", "schedule": {"cronExpr": "@daily"}},
            200,
        ),
        ("PATCH", "agents/a1", {"active": False, "id": "x", "createdAt": "…", "updatedAt": "…"}, 200),
        ("POST", "agents", {"name": "N", "version": "1", "promptTemplate": "p", "active": True}, 201),
    ],
)
async def test_additional_keys_of_old_clients_are_ignored(
    api: Api, method: str, path: str, body: Any, status: int
) -> None:
    answer = await api.call(method, f"/api/v1/{path}", json=body)
    assert answer.status == status


async def test_a_tool_that_there_is_not_is_refused_for_a_goal(api: Api) -> None:
    goal = {"objective": "reach something", "params": {"allowedTools": ["noop", "noob", "webSearch"]}}
    before = await api.log.last_seq()
    for method, path in (("POST", "goals"), ("PATCH", "goals/g1")):
        answer = await api.call(method, f"/api/v1/{path}", json=goal)
        assert answer.status == 400
        assert [(one["path"], one["message"]) for one in answer.json["validation_errors"]] == [
            (["params", "allowedTools", 1], "there is no tool 'noob'; did you mean 'noop'?"),
            (["params", "allowedTools", 2], "there is no tool 'webSearch'; there are noop"),
        ]
    assert await api.log.last_seq() == before


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("goals?status=actve", "'active' | 'paused' | 'archived', received 'actve'; did you mean 'active'?"),
        ("runs?status=runing", "did you mean 'running'?"),
        ("dag-executions?status=complete", "did you mean 'completed'?"),
        ("dags/d1/executions?status=fail", "did you mean 'failed'?"),
        ("costs/summary?groupBy=weak", "did you mean 'week'?"),
        ("events?type=run.complete", "did you mean 'run.completed'?"),
        ("dags?status=sucess", "did you mean 'success'?"),
        ("goals?staus=paused", "Unrecognized parameter 'staus'; did you mean 'status'?"),
        ("runs?goal_id=g1", "Unrecognized parameter 'goal_id'; did you mean 'goalId'?"),
    ],
)
async def test_a_filter_that_matches_nothing_ever_is_refused(api: Api, path: str, hint: str) -> None:
    answer = await api.get(f"/api/v1/{path}")
    assert answer.status == 400
    (issue,) = answer.json["validation_errors"]
    assert hint in issue["message"]


async def test_a_parameter_of_another_program_is_ignored(api: Api) -> None:
    assert (await api.get("/api/v1/goals?_=1764381600&utm_source=mail")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "goals", {"objective": "reach something", "agentName": "planer"}),
        ("POST", "create-dag", {"goal-text": "g", "agentName": "planer"}),
        ("GET", "tools/nop", None),
    ],
)
async def test_a_name_that_is_close_is_suggested(api: Api, method: str, path: str, body: Any) -> None:
    answer = await api.call(method, f"/api/v1/{path}", json=body)
    meant = "noop" if path == "tools/nop" else "Planner"
    assert answer.status in {400, 404}
    assert answer.json["error"].endswith(f"; did you mean '{meant}'?")
