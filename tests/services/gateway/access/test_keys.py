"""Keys over HTTP: they are made, replaced and revoked, and their requests belong to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from contracts.client import Client, Refused
from contracts.core.codec import Codec
from contracts.core.scopes import Scope
from contracts.domain import key
from contracts.domain.key import KEY
from contracts.domain.registry import CODEC
from tests.services.gateway.access.conftest import SECRET, Guarded, bearer
from tests.services.gateway.raw_headers import status_of
from tests.services.gateway.watching import watching_path

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

KEYS = "/api/v1/keys"
GOALS = "/api/v1/goals"
GOAL = {"objective": "Look after the windmill"}
NAMED = {"Idempotency-Key": "windmill-1"}
REQUEST_ID = {"X-Request-Id": "windmill"}


async def issued(guarded: Guarded, name: str = "ci", scopes: tuple[str, ...] = ("run",), **more: Any) -> Any:
    """The answer to a request for a new key."""
    admin = await guarded.key("root", Scope.ADMIN)
    return await guarded.api.post(KEYS, {"name": name, "scopes": list(scopes), **more}, headers=admin)


# ── making keys ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_key_can_be_used_at_once(guarded: Guarded) -> None:
    answer = await issued(guarded)
    assert (answer.status, answer.headers["cache-control"]) == (201, "no-store")
    header = bearer(answer.json["key"])
    assert (await guarded.api.post(GOALS, GOAL, headers=header)).status == 201
    assert (await guarded.api.get(KEYS, headers=header)).status == 403


async def test_neither_the_log_nor_a_later_answer_has_the_secret(guarded: Guarded) -> None:
    answer = await issued(guarded)
    secret = answer.json["key"].rpartition("_")[2]
    assert len(secret) == 64
    stored = await guarded.api.log.read(KEY.name, answer.json["id"])
    assert all(secret.encode() not in Codec.encode(CODEC, one.commit) for one in stored)
    listed = await guarded.api.get(KEYS, headers=guarded.header("root"))
    assert [one["name"] for one in listed.json] == ["ci", "root"]
    assert secret.encode() not in listed.body


async def test_a_name_is_given_once(guarded: Guarded) -> None:
    assert (await issued(guarded)).status == 201
    again = await guarded.api.post(KEYS, {"name": "ci", "scopes": ["admin"]}, headers=guarded.header("root"))
    assert again.status == 409
    assert "rotate" in again.json["error"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "a b", "scopes": ["read"]}, "name"),
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "ci", "scopes": []}, "scopes"),
        ({"name": "ci", "scopes": ["write"]}, "scopes"),
        ({"name": "ci", "scopes": ["read"], "expiresAt": "soon"}, "expiresAt"),
    ],
)
async def test_a_key_that_cannot_be_made_is_refused_by_the_name_of_its_field(
    guarded: Guarded, body: dict[str, Any], field: str
) -> None:
    answer = await guarded.api.post(KEYS, body, headers=await guarded.key("root", Scope.ADMIN))
    assert answer.status == 400
    assert {one["path"][0] for one in answer.json["validation_errors"]} == {field}


async def test_a_key_that_would_have_expired_is_refused(guarded: Guarded) -> None:
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    answer = await issued(guarded, expiresAt=past)
    assert (answer.status, "expiresAt" in answer.json["error"]) == (400, True)


async def test_a_replaced_key_is_valid_for_its_overlap_only(guarded: Guarded) -> None:
    first = bearer((await issued(guarded)).json["key"])
    id_ = key.key_id("ci")
    root = guarded.header("root")
    second = await guarded.api.post(f"{KEYS}/{id_}/rotate", {"overlapS": 3600}, headers=root)
    assert second.json["previousUntil"]
    for header in (first, bearer(second.json["key"])):
        assert (await guarded.api.get(GOALS, headers=header)).status == 200
    third = await guarded.api.post(f"{KEYS}/{id_}/rotate", {}, headers=root)
    for header in (first, bearer(second.json["key"])):
        assert (await guarded.api.get(GOALS, headers=header)).status == 401
    assert (await guarded.api.get(GOALS, headers=bearer(third.json["key"]))).status == 200


async def test_a_key_that_is_not_there_is_not_found(guarded: Guarded) -> None:
    root = await guarded.key("root", Scope.ADMIN)
    for path in (f"{KEYS}/key_x", f"{KEYS}/not%20an%20id"):
        assert (await guarded.api.get(path, headers=root)).status == 404
        assert (await guarded.api.delete(path, headers=root)).status == 404
    assert (await guarded.api.post(f"{KEYS}/key_x/rotate", {}, headers=root)).status == 404


# ── refused keys ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_refusal_says_why_to_the_holder_and_nothing_to_others(guarded: Guarded) -> None:
    said = {}
    for name, headers in {
        "none": {},
        "wrong": guarded.header("root", secret="6" * 64),
        "cut": {"Authorization": "Bearer aa_key"},
        "expired": await guarded.expired("old"),
        "revoked": await guarded.revoked("gone"),
    }.items():
        answer = await guarded.api.get(GOALS, headers=headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        said[name] = answer.json["message"]
    assert "async-agent keys create" in said["none"]
    assert "unknown" in said["wrong"]
    assert "aa_<id>_<secret>" in said["cut"]
    assert "old has expired" in said["expired"]
    assert "gone is revoked" in said["revoked"]


async def test_a_revoked_key_is_refused_at_once_and_its_streams_end(guarded: Guarded) -> None:
    header = await guarded.key("ci", Scope.READ)
    root = await guarded.key("root", Scope.ADMIN)
    id_ = key.key_id("ci")
    async with (
        watching_path(guarded.api, "/api/v1/events", **header) as theirs,
        watching_path(guarded.api, "/api/v1/events", **root) as ours,
    ):
        await theirs.next()
        await ours.next()
        assert (await guarded.api.delete(f"{KEYS}/{id_}", headers=root)).status == 204
        assert (await guarded.api.get(GOALS, headers=header)).status == 401
        assert await theirs.broken()
        told = await ours.until("key.revoked")
        assert told[-1].data["actor"] == "key:root"


async def test_a_stream_ends_when_its_key_expires(guarded: Guarded) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    header = await guarded.key("ci", Scope.READ, expires_at=soon)
    async with watching_path(guarded.api, "/api/v1/events", **header) as client:
        await client.next()
        assert await client.broken()


async def test_a_client_whose_key_is_revoked_learns_it(guarded: Guarded) -> None:
    """It does not try for ever to resume its stream."""
    await guarded.key("ci", Scope.READ)
    text = key.text_of(key.key_id("ci"), SECRET)
    async with Client(str(guarded.api.url), api_key=text) as client:
        events = client.events(after=0)
        assert (await anext(events)).type == "key.created"
        await guarded.revoke("ci")
        with pytest.raises(Refused, match="ci is revoked"):
            async for _ in events:
                pass


# ── what belongs to a principal ─────────────────────────────────────────────────────────────────────────


async def test_equal_idempotency_keys_of_two_principals_never_meet(guarded: Guarded) -> None:
    made = []
    for name in ("first", "second"):
        header = await guarded.key(name, Scope.RUN) | NAMED
        answers = [await guarded.api.post(GOALS, GOAL, headers=header) for _ in range(2)]
        assert [one.status for one in answers] == [201, 201]
        assert [one.headers.get("idempotency-replayed") for one in answers] == [None, "true"]
        assert answers[0].body == answers[1].body
        made.append(answers[0].json["id"])
    assert made[0] != made[1]


async def test_a_request_id_correlates_the_commits_of_one_principal_only(guarded: Guarded) -> None:
    found: dict[str, set[str]] = {}
    for name in ("first", "first", "second"):
        header = guarded.header(name) if name in found else await guarded.key(name, Scope.RUN)
        answer = await guarded.api.post(GOALS, GOAL, headers=header | REQUEST_ID)
        assert answer.headers["x-request-id"] == "windmill"
        (recorded,) = await guarded.api.log.read("goal", answer.json["id"])
        assert recorded.commit.actor == f"key:{name}"
        found.setdefault(name, set()).add(recorded.commit.correlation_id)
    assert [len(ids) for ids in found.values()] == [1, 1]
    assert not found["first"] & found["second"]


async def test_an_anonymous_request_is_correlated_by_its_own_request_id(api: Api) -> None:
    answer = await api.post(GOALS, GOAL, headers=REQUEST_ID)
    (recorded,) = await api.log.read("goal", answer.json["id"])
    assert recorded.commit.correlation_id == "windmill"


async def test_each_principal_has_a_rate_limit_of_its_own_behind_a_proxy_on_this_machine(
    start_gateway: StartGateway,
) -> None:
    """Requests without a key are exempt on this machine, but a key is never exempt."""
    guarded = Guarded(await start_gateway(auth="keys", rate_limit_max=2))
    for name in ("first", "second"):
        header = await guarded.key(name, Scope.READ)
        got = [(await guarded.api.get(GOALS, headers=header)).status for _ in range(3)]
        assert got == [200, 200, 429]


async def test_guesses_of_a_key_count_for_the_address_they_come_from(start_gateway: StartGateway) -> None:
    guarded = Guarded(await start_gateway(auth="keys", rate_limit_max=2, rate_limit_exempt=""))
    guesses = [guarded.header("root", secret=str(digit) * 64) for digit in range(3)]
    got = [(await guarded.api.get(GOALS, headers=guess)).status for guess in guesses]
    assert got == [401, 401, 429]


async def test_a_browser_without_a_key_sees_that_a_page_does_not_exist_and_a_client_sees_nothing(
    guarded: Guarded,
) -> None:
    await guarded.key("root", Scope.ADMIN)
    page = await guarded.api.get("/nothing", headers={"Accept": "text/html"})
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert (await guarded.api.get("/nothing")).status == 401
    assert (await guarded.api.get("/api/v1/nothing", headers={"Accept": "text/html"})).status == 401


async def test_readiness_tells_strangers_no_names(guarded: Guarded) -> None:
    header = await guarded.key("ci", Scope.READ)
    theirs, ours = [(await guarded.api.get("/health/ready", headers=one)).json for one in ({}, header)]
    assert theirs["problems"].keys() == ours["problems"].keys()
    assert (theirs["provider"], theirs["model"], theirs["executors"]) == ("", "", [])


# ── modes ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_authentication_a_key_is_neither_needed_nor_checked(api: Api) -> None:
    for headers in ({}, bearer("anything"), {"Authorization": "Basic x"}):
        assert (await api.get(GOALS, headers=headers)).status == 200


async def test_a_key_that_is_not_text_is_refused(guarded: Guarded) -> None:
    await guarded.key("root", Scope.ADMIN)
    status = await status_of(guarded.api, GOALS, b"Authorization: Bearer aa_\xff\xfe")
    assert status == 401
