"""Agents over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from contracts.domain import agent
from contracts.domain.agent import AGENT
from contracts.runtime.memory_log import MemoryLog
from tests.any_source import CODEC

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

AGENTS = "/api/v1/agents"
MINIMAL = {"name": "Dec", "version": "1.0", "promptTemplate": "You plan."}
ABSENT = "agent_00000000000000000000000000"


async def create(api: Api, **changes: Any) -> Any:
    """A new version; its row."""
    answer = await api.post(AGENTS, {**MINIMAL, **changes})
    assert answer.status == 201, answer.body
    return answer.json


async def test_a_new_agent_is_inactive_and_can_be_read_at_once(api: Api) -> None:
    row = await create(api, provider="openai", model="gpt-4o", metadata={"a": None, "b": [1]})
    assert row | {"id": "", "createdAt": "", "updatedAt": ""} == {
        "id": "",
        "name": "Dec",
        "version": "1.0",
        "promptTemplate": "You plan.",
        "provider": "openai",
        "model": "gpt-4o",
        "active": False,
        "metadata": {"a": None, "b": [1]},
        "createdAt": "",
        "updatedAt": "",
    }
    assert row["createdAt"] == row["updatedAt"]
    assert (await api.get(f"{AGENTS}/{row['id']}")).json == row


async def test_omitted_fields_are_null_and_metadata_is_always_an_object(api: Api) -> None:
    row = await create(api)
    assert (row["provider"], row["model"], row["metadata"]) == (None, None, {})
    await api.write(AGENT, "agent_old", agent.Created(name="Old", version_name="1", prompt_template="x"))
    assert (await api.get(f"{AGENTS}/agent_old")).json["metadata"] == {}


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"version": "1", "promptTemplate": "x"}, ["name"], "invalid_type"),
        (MINIMAL | {"name": ""}, ["name"], "too_small"),
        (MINIMAL | {"name": 5}, ["name"], "invalid_type"),
        (MINIMAL | {"version": None}, ["version"], "invalid_type"),
        (MINIMAL | {"promptTemplate": ["x"]}, ["promptTemplate"], "invalid_type"),
        (MINIMAL | {"provider": None}, ["provider"], "invalid_type"),
        (MINIMAL | {"model": 1}, ["model"], "invalid_type"),
        (MINIMAL | {"metadata": []}, ["metadata"], "invalid_type"),
        (MINIMAL | {"metadata": None}, ["metadata"], "invalid_type"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_with_its_issues(
    api: Api, body: Any, path: list[str], code: str
) -> None:
    answer = await api.post(AGENTS, body)
    assert answer.status == 400
    assert answer.json["error"] == "Invalid input parameters"
    assert [(issue["path"], issue["code"]) for issue in answer.json["validation_errors"]] == [(path, code)]
    assert await api.log.last_seq() == 0


@pytest.mark.parametrize("body", [[], "text", 5, None, True])
async def test_a_body_that_is_not_an_object_is_refused(api: Api, body: Any) -> None:
    answer = await api.call("POST", AGENTS, json=body) if body is not None else await api.post(AGENTS)
    assert answer.status == 400
    assert answer.json["validation_errors"]


async def test_a_client_sets_neither_the_id_nor_active(api: Api) -> None:
    row = await create(api, active=True, id="agent_mine")
    assert row["active"] is False
    assert row["id"] != "agent_mine"
    assert (await api.patch(f"{AGENTS}/{row['id']}", {"active": True})).json["active"] is False


async def test_a_name_and_version_exist_once(api: Api) -> None:
    await create(api)
    answer = await api.post(AGENTS, MINIMAL | {"promptTemplate": "other"})
    assert (answer.status, answer.json) == (
        409,
        {"error": "Agent with this name and version already exists"},
    )


async def test_one_of_two_clients_that_create_the_same_at_once_succeeds(start_gateway: StartGateway) -> None:
    log = MemoryLog(CODEC)
    one, other = await start_gateway(log=log), await start_gateway(log=log, projector=False)
    answers = await asyncio.gather(*(api.post(AGENTS, MINIMAL) for api in (one, other)))
    assert sorted(answer.status for answer in answers) == [201, 409]


async def test_agents_are_listed_newest_first_and_filtered(api: Api) -> None:
    first, second, third = [
        await create(api, name=name, version=version)
        for name, version in (("A", "1"), ("A", "2"), ("B", "1"))
    ]
    second = (await api.post(f"{AGENTS}/{second['id']}/activate")).json
    for query, expected in {
        "": [third, second, first],
        "?name=A": [second, first],
        "?name=a": [],
        "?active=true": [second],
        "?active=false": [third, first],
        "?active=1": [third, first],
        "?name=A&active=true&unknown=1": [second],
    }.items():
        answer = await api.get(AGENTS + query)
        assert (answer.status, answer.json) == (200, expected), query


async def test_a_patch_changes_what_it_names(api: Api) -> None:
    row = await create(api, provider="openai", metadata={"a": 1})
    answer = await api.patch(f"{AGENTS}/{row['id']}", {"promptTemplate": "New.", "version": "2"})
    assert answer.status == 200
    assert answer.json == row | {
        "promptTemplate": "New.",
        "version": "2",
        "updatedAt": answer.json["updatedAt"],
    }
    assert (await api.patch(f"{AGENTS}/{row['id']}", {"metadata": {}})).json["metadata"] == {}


async def test_a_patch_of_nothing_writes_nothing(api: Api) -> None:
    row = await create(api)
    seq = await api.log.last_seq()
    for body in ({}, {"name": row["name"]}, {"active": True}):
        assert (await api.patch(f"{AGENTS}/{row['id']}", body)).json == row
    assert await api.log.last_seq() == seq


@pytest.mark.parametrize("body", [{"name": None}, {"version": ""}, {"provider": None}, {"metadata": None}])
async def test_a_patch_refuses_null_and_empty_texts(api: Api, body: Any) -> None:
    row = await create(api)
    answer = await api.patch(f"{AGENTS}/{row['id']}", body)
    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")


@pytest.mark.parametrize("body", [{"version": "2"}, {"name": "B"}, {"name": "B", "version": "2"}])
async def test_a_patch_into_another_name_and_version_is_refused_even_with_one_of_them(
    api: Api, body: dict[str, str]
) -> None:
    row = await create(api)
    taken = MINIMAL | body
    await create(api, name=taken["name"], version=taken["version"])
    answer = await api.patch(f"{AGENTS}/{row['id']}", body)
    assert (answer.status, answer.json) == (
        409,
        {"error": "Agent with this name and version already exists"},
    )


async def test_a_name_and_version_given_up_by_renaming_can_be_used_again(api: Api) -> None:
    renamed = await create(api)
    await api.patch(f"{AGENTS}/{renamed['id']}", {"name": "Other"})
    again = await create(api)
    assert again["id"] != renamed["id"]
    assert (await api.post(AGENTS, MINIMAL)).status == 409
    assert [row["name"] for row in (await api.get(AGENTS)).json] == ["Dec", "Other"]


async def test_activating_a_version_deactivates_the_others_of_its_name(api: Api) -> None:
    one, two = await create(api), await create(api, version="2")
    stranger = await create(api, name="Other")
    for row in (one, stranger, two):
        answer = await api.post(f"{AGENTS}/{row['id']}/activate", {"ignored": True})
        assert (answer.status, answer.json["active"]) == (200, True)
    active = {row["id"] for row in (await api.get(f"{AGENTS}?active=true")).json}
    assert active == {two["id"], stranger["id"]}
    await api.post(f"{AGENTS}/{one['id']}/activate")
    assert (await api.get(f"{AGENTS}/resolve/Dec")).json["id"] == one["id"]


async def test_an_active_version_is_not_renamed_into_a_name_that_has_one(api: Api) -> None:
    """Neither of the two is deactivated behind anybody's back."""
    one, other = await create(api), await create(api, name="Other")
    for row in (one, other):
        await api.post(f"{AGENTS}/{row['id']}/activate")
    before = await api.log.last_seq()

    answer = await api.patch(f"{AGENTS}/{one['id']}", {"name": "Other", "version": "2"})

    assert answer.status == 409
    assert answer.json["error"].startswith("Another version of 'Other' is active: ")
    assert await api.log.last_seq() == before
    assert {row["id"] for row in (await api.get(f"{AGENTS}?active=true")).json} == {one["id"], other["id"]}


async def test_an_active_version_stays_active_under_a_name_of_its_own(api: Api) -> None:
    row = await create(api)
    inactive = await create(api, name="Other")
    await api.post(f"{AGENTS}/{row['id']}/activate")

    for name in ("New", "Other"):
        renamed = await api.patch(f"{AGENTS}/{row['id']}", {"name": name, "version": "2"})
        assert (renamed.status, renamed.json["active"]) == (200, True)
        assert (await api.get(f"{AGENTS}/resolve/{name}")).json["id"] == row["id"]
    assert (await api.patch(f"{AGENTS}/{inactive['id']}", {"version": "3"})).status == 200


async def test_the_first_of_two_active_versions_renamed_to_one_name_at_once_stays_active(api: Api) -> None:
    """As when two gateways decide at the same time: what the log says is told alike by all."""
    one, other = await create(api), await create(api, name="Other")
    for row in (one, other):
        await api.post(f"{AGENTS}/{row['id']}/activate")

    await api.write(AGENT, one["id"], agent.Updated(name="Other", version_name="2"))

    assert (await api.get(f"{AGENTS}/resolve/Other")).json["id"] == other["id"]
    assert not (await api.get(f"{AGENTS}/{one['id']}")).json["active"]
    directory = await api.gateway.agents_current()
    assert (directory.is_active(other["id"]), directory.is_active(one["id"])) == (True, False)


async def test_a_name_resolves_to_its_active_version(api: Api) -> None:
    missing = {"error": "No active agent found with name: My Agent/7"}
    assert (await api.get(f"{AGENTS}/resolve/My%20Agent%2F7")).json == missing
    row = await create(api, name="My Agent/7")
    assert (await api.get(f"{AGENTS}/resolve/My%20Agent%2F7")).status == 404
    active = (await api.post(f"{AGENTS}/{row['id']}/activate")).json
    assert (await api.get(f"{AGENTS}/resolve/My%20Agent%2F7")).json == active


async def test_an_active_version_cannot_be_deleted(api: Api) -> None:
    one, two = await create(api), await create(api, version="2")
    await api.post(f"{AGENTS}/{one['id']}/activate")
    answer = await api.delete(f"{AGENTS}/{one['id']}")
    assert (answer.status, answer.json) == (
        400,
        {"error": "Cannot delete active agent. Activate another version first."},
    )
    await api.post(f"{AGENTS}/{two['id']}/activate")
    gone = await api.delete(f"{AGENTS}/{one['id']}", headers={"Content-Type": "application/json"})
    assert (gone.status, gone.body) == (204, b"")
    assert (await api.get(f"{AGENTS}/{one['id']}")).status == 404


async def test_a_deleted_version_can_be_created_again(api: Api) -> None:
    row = await create(api)
    await api.delete(f"{AGENTS}/{row['id']}")
    again = await create(api, promptTemplate="Again.")
    assert [row["promptTemplate"] for row in (await api.get(AGENTS)).json] == ["Again."]
    assert again["active"] is False


@pytest.mark.parametrize("agent_id", [ABSENT, "a.b", "*", ">", "a%20b", "%E2%82%AC", "x" * 65])
async def test_an_unknown_id_of_any_form_is_404(api: Api, agent_id: str) -> None:
    for method, suffix in (("GET", ""), ("PATCH", ""), ("POST", "/activate"), ("DELETE", "")):
        answer = await api.call(method, f"{AGENTS}/{agent_id}{suffix}")
        assert (answer.status, answer.json) == (404, {"error": "Agent not found"}), method


async def test_a_write_is_answered_though_the_views_lag(start_gateway: StartGateway) -> None:
    """The answer then comes from the decision itself; a repeat would conflict with it."""
    api = await start_gateway(projector=False, views_wait_s=0.01)
    row = await create(api)
    assert (row["name"], row["active"], row["metadata"]) == ("Dec", False, {})
    assert (await api.post(f"{AGENTS}/{row['id']}/activate")).json["active"] is True


async def test_commits_carry_the_request_that_asked_for_them(api: Api) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-Request-Id": "req-7", "traceparent": parent}
    row = (await api.post(AGENTS, MINIMAL, headers=headers)).json
    (recorded,) = await api.log.read("agent", row["id"])
    commit = recorded.commit
    assert (commit.source, commit.correlation_id, commit.traceparent) == ("/gateway/test", "req-7", parent)
