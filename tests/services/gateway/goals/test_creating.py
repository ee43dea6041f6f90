"""Making goals over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.gateway.goals.goals import BAD, GOALS, OBJECTIVE, create, new_agent

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway


async def test_a_goal_is_created_active(api: Api) -> None:
    answer = await api.post(GOALS, {"objective": OBJECTIVE})

    assert answer.status == 201
    goal_id, created_at = answer.json["id"], answer.json["createdAt"]
    assert goal_id.startswith("goal_")
    assert answer.json == {
        "id": goal_id,
        "objective": OBJECTIVE,
        "params": {},
        "webhookUrl": None,
        "webhookEvents": ["ended"],
        "agentId": None,
        "status": "active",
        "createdAt": created_at,
        "updatedAt": created_at,
    }
    assert (await api.get(f"{GOALS}/{goal_id}")).json == {**answer.json, "schedules": []}


async def test_params_are_kept_as_given_and_unknown_ones_are_ignored(api: Api) -> None:
    params = {
        "stepBudget": 5,
        "allowedTools": ["readFile"],
        "constraints": {"language": "de", "places": [1, {"a": None}]},
        "temperature": 0.1,
        "maxTokens": 100,
        "strategy": "dag",
    }

    created = await create(api, params=params)

    assert created["params"] == params


async def test_the_agent_is_the_active_version_of_a_name(api: Api) -> None:
    first = await new_agent(api, "A", "1")
    goal_id = (await create(api, agentName="A", agentId="ignored"))["id"]
    await new_agent(api, "A", "2")

    shown = (await api.get(f"{GOALS}/{goal_id}")).json

    assert shown["agentId"] == first


async def test_any_version_can_be_named_by_its_id(api: Api) -> None:
    inactive = await new_agent(api, "A", active=False)

    assert (await create(api, agentName="", agentId=inactive))["agentId"] == inactive


async def test_without_a_name_and_an_id_the_default_agent_pursues_a_goal(api: Api) -> None:
    assert (await create(api))["agentId"] is None

    default = await new_agent(api, "defaultAgent")

    assert (await create(api, agentName="", agentId=""))["agentId"] == default


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"agentName": "nobody"}, "No active agent found with name: nobody"),
        ({"agentId": "nobody"}, "Agent not found with id: nobody"),
    ],
)
async def test_an_unknown_agent_is_refused(api: Api, body: Any, error: str) -> None:
    answer = await api.post(GOALS, {"objective": OBJECTIVE, **body})

    assert (answer.status, answer.json) == (400, {"error": error})
    assert await api.log.last_seq() == 0


async def test_a_goal_can_have_a_schedule_from_the_beginning(api: Api) -> None:
    created = await create(api, schedule={"cronExpr": "0 9 * * *", "timezone": "Europe/Paris"})

    (schedule,) = (await api.get(f"{GOALS}/{created['id']}")).json["schedules"]

    assert "schedules" not in created
    assert schedule["id"].startswith("sched_")
    expected = {
        "goalId": created["id"],
        "cronExpr": "0 9 * * *",
        "timezone": "Europe/Paris",
        "active": True,
        "lastRunAt": None,
        "createdAt": created["createdAt"],
    }
    assert schedule | expected == schedule
    assert len(await api.log.read("goal", created["id"])) == 1


@pytest.mark.parametrize(
    ("schedule", "error"),
    [
        ({"cronExpr": "nonsense"}, "Invalid cron expression"),
        ({"cronExpr": ""}, "Invalid cron expression"),
        ({"cronExpr": "0 0 31 2 *"}, "Invalid cron expression"),
        ({"cronExpr": "* * * * *", "timezone": "Mars/Base"}, "Invalid timezone"),
        ({"cronExpr": "* * * * *", "timezone": ""}, "Invalid timezone"),
    ],
)
async def test_a_schedule_that_never_fires_is_refused_before_anything_is_written(
    api: Api, schedule: Any, error: str
) -> None:
    answer = await api.post(GOALS, {"objective": OBJECTIVE, "schedule": schedule})

    assert (answer.status, answer.json["error"]) == (400, error)
    assert answer.json["details"]
    assert await api.log.last_seq() == 0


async def test_a_short_objective_is_told_how_long_it_must_be(api: Api) -> None:
    (issue,) = (await api.post(GOALS, {"objective": "too short"})).json["validation_errors"]

    assert issue["message"] == "String must contain at least 10 character(s)"
    assert (issue["code"], issue["type"], issue["minimum"]) == ("too_small", "string", 10)


@pytest.mark.parametrize(("body", "path"), BAD)
async def test_bad_input_is_refused_and_named(api: Api, body: Any, path: list[str]) -> None:
    body = {"objective": OBJECTIVE, **body} if body else {}
    answer = await api.post(GOALS, body)

    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
    assert [issue["path"] for issue in answer.json["validation_errors"]] == [path]
    assert await api.log.last_seq() == 0


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"agentName": 1}, ["agentName"]),
        ({"agentId": None}, ["agentId"]),
        ({"schedule": "daily"}, ["schedule"]),
        ({"schedule": {}}, ["schedule", "cronExpr"]),
        ({"schedule": {"cronExpr": "* * * * *", "timezone": None}}, ["schedule", "timezone"]),
        ({"schedule": {"cronExpr": "* * * * *", "overlap": "maybe"}}, ["schedule", "overlap"]),
        ({"schedule": {"cronExpr": "* * * * *", "jitterSeconds": -1}}, ["schedule", "jitterSeconds"]),
        ({"schedule": {"cronExpr": "* * * * *", "catchUpSeconds": 1e9}}, ["schedule", "catchUpSeconds"]),
        ({"schedule": {"cronExpr": "* * * * *", "paused": "no"}}, ["schedule", "paused"]),
    ],
)
async def test_bad_input_of_a_new_goal_only_is_refused_and_named(api: Api, body: Any, path: Any) -> None:
    answer = await api.post(GOALS, {"objective": OBJECTIVE, **body})

    assert (answer.status, [issue["path"] for issue in answer.json["validation_errors"]]) == (400, [path])


@pytest.mark.parametrize(
    ("sent", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"objective=x", "application/x-www-form-urlencoded", 415),
        (b'{"objective": "Find out\\u0000"}', "application/json", 400),
    ],
)
async def test_a_body_that_is_not_a_goal_is_refused(
    api: Api, sent: bytes, content_type: str, status: int
) -> None:
    answer = await api.call("POST", GOALS, data=sent, headers={"Content-Type": content_type})

    assert answer.status == status
    assert isinstance(answer.json["error"], str)
    assert await api.log.last_seq() == 0


async def test_the_maximum_length_of_an_objective_is_a_setting(start_gateway: StartGateway) -> None:
    api = await start_gateway(max_message_length=20)

    assert (await api.post(GOALS, {"objective": "x" * 20})).status == 201
    answer = await api.post(GOALS, {"objective": "x" * 21})

    (issue,) = answer.json["validation_errors"]
    assert (answer.status, issue["code"], issue["maximum"]) == (400, "too_big", 20)


async def test_a_goal_is_made_once_for_one_idempotency_key(api: Api) -> None:
    key = {"Idempotency-Key": "k"}
    body = {"objective": OBJECTIVE, "schedule": {"cronExpr": "@daily"}}

    answers = [await api.post(GOALS, body, headers=key) for _ in range(3)]
    other = await api.post(GOALS, {**body, "webhookUrl": "http://x"}, headers=key)

    assert [answer.status for answer in answers] == [201] * 3
    assert len({answer.body for answer in answers}) == 1
    assert other.status == 422
    assert len((await api.get(GOALS)).json) == 1


async def test_two_submits_at_once_make_one_goal_under_one_key_and_two_without(api: Api) -> None:
    async def twice(**headers: str) -> set[str]:
        submit = api.post(GOALS, {"objective": OBJECTIVE}, headers=headers)
        again = api.post(GOALS, {"objective": OBJECTIVE}, headers=headers)
        return {answer.json["id"] for answer in await asyncio.gather(submit, again)}

    assert len(await twice(**{"Idempotency-Key": "k"})) == 1
    assert len(await twice()) == 2


async def test_a_goal_is_answered_even_while_the_views_are_away(start_gateway: StartGateway) -> None:
    api = await start_gateway(projector=False, views_wait_s=0.01)

    created = await create(api, params={"stepBudget": 5}, schedule={"cronExpr": "@daily"})
    changed = await api.patch(f"{GOALS}/{created['id']}", {"webhookUrl": "http://x"})

    assert created["params"] == {"stepBudget": 5}
    assert (changed.status, changed.json["webhookUrl"]) == (200, "http://x")
    assert (await api.get(GOALS)).status == 503
