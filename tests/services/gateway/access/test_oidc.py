"""Users by OpenID Connect, against a real issuer over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.scopes import Scope
from contracts.settings.secret_files import InvalidSettings
from gateway.access.oidc import issuer as issuers
from gateway.access.oidc.issuer import IssuerKeys
from gateway.access.oidc.tokens import roles_of
from gateway.settings import GatewaySettings
from tests.services.gateway.access.conftest import Guarded, bearer
from tests.services.gateway.access.issuer import AUDIENCE, Issuer, running_issuer
from tests.services.gateway.watching import watching_path

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

GOALS = "/api/v1/goals"
GOAL = {"objective": "Look after the windmill"}
SKEW_S = 60


@pytest.fixture
async def issuer() -> AsyncGenerator[Issuer]:
    async with running_issuer() as issuer:
        yield issuer


@pytest.fixture
async def api(start_gateway: StartGateway, issuer: Issuer) -> Api:
    """A gateway that accepts the tokens of the issuer."""
    return await start_gateway(auth="oidc", oidc_issuer=issuer.url, oidc_audience=AUDIENCE)


async def status(api: Api, token: str) -> int:
    return (await api.get(GOALS, headers=bearer(token))).status


def changed(issuer: Issuer) -> str:
    """A token whose claims were changed after it was signed."""
    header, _, signature = issuer.token("rsa-1").split(".")
    _, claims, _ = issuer.token("rsa-1", roles=["admin"]).split(".")
    return f"{header}.{claims}.{signature}"


def of_another_issuer(issuer: Issuer) -> str:
    """A token with a key of the same name that the issuer does not have."""
    other = Issuer()
    other.url = issuer.url
    other.rsa("rsa-1")
    return other.token("rsa-1")


# ── users ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kid", ["rsa-1", "ec-1"])
async def test_a_user_does_what_the_role_allows_under_their_own_name(
    api: Api, issuer: Issuer, kid: str
) -> None:
    issuer.ec("ec-1")
    header = bearer(issuer.token(kid, aud=["other", AUDIENCE]))
    made = await api.post(GOALS, GOAL, headers=header)
    assert made.status == 201
    (recorded,) = await api.log.read("goal", made.json["id"])
    assert recorded.commit.actor == "user:ada"
    assert (await api.get("/api/v1/keys", headers=header)).status == 403


async def test_a_user_without_a_role_is_refused_everything(api: Api, issuer: Issuer) -> None:
    for roles in (None, [], ["gardener"], "gardener", 7, {"run": True}):
        answer = await api.get(GOALS, headers=bearer(issuer.token("rsa-1", roles=roles)))
        assert answer.status == 403
        assert "user:ada has none" in answer.json["message"]


async def test_roles_have_the_scopes_that_the_settings_say(
    start_gateway: StartGateway, issuer: Issuer
) -> None:
    api = await start_gateway(
        auth="oidc",
        oidc_issuer=issuer.url,
        oidc_audience=AUDIENCE,
        oidc_roles_claim="realm_access.roles",
        oidc_roles="operators=run,auditors=read",
    )
    for role, expected in (("operators", 201), ("auditors", 403), ("run", 403)):
        token = issuer.token("rsa-1", realm_access={"roles": [role]})
        assert (await api.post(GOALS, GOAL, headers=bearer(token))).status == expected, role


async def test_keys_work_besides_tokens(api: Api) -> None:
    header = await Guarded(api).key("ci", Scope.READ)
    assert (await api.get(GOALS, headers=header)).status == 200
    assert (await api.get(GOALS)).status == 401


@pytest.mark.parametrize(
    ("claims", "path", "roles"),
    [
        ({"roles": ["a", "b"]}, "roles", {"a", "b"}),
        ({"scope": "a b"}, "scope", {"a", "b"}),
        ({"https://x.example/roles": ["a"]}, "https://x.example/roles", {"a"}),
        ({"r": {"c": {"roles": ["a", 1]}}}, "r.c.roles", {"a"}),
        ({"r": "a"}, "r.c", set()),
        ({}, "roles", set()),
    ],
)
def test_roles_are_found_where_issuers_put_them(claims: dict[str, Any], path: str, roles: set[str]) -> None:
    assert roles_of(claims, path) == roles


# ── tokens that are refused ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "forge",
    [
        lambda issuer: issuer.unsigned("rsa-1"),
        changed,
        of_another_issuer,
        lambda issuer: issuer.forged("rsa-1"),
        lambda issuer: issuer.token("rsa-1", header={"kid": "rsa-2"}),
        lambda issuer: issuer.with_header("rsa-1"),
        lambda issuer: issuer.with_header("rsa-1", kid=1),
        lambda issuer: issuer.token("rsa-1") + "x",
        lambda _: "x.y.z",
        lambda _: "anything",
    ],
    ids=["none", "changed", "other key", "HS256", "unknown kid", "no kid", "odd kid", "cut", "three", "text"],
)
async def test_a_token_that_the_issuer_did_not_sign_is_refused(
    api: Api, issuer: Issuer, forge: Callable[[Issuer], str]
) -> None:
    assert await status(api, issuer.with_header("rsa-1", kid="rsa-1")) == 200
    assert await status(api, forge(issuer)) == 401


async def test_a_token_signed_with_the_algorithm_of_another_type_of_key_is_refused(
    api: Api, issuer: Issuer
) -> None:
    issuer.ec("ec-1")
    assert await status(api, issuer.token("rsa-1", header={"kid": "ec-1"})) == 401
    assert await status(api, issuer.token("ec-1", header={"kid": "rsa-1"})) == 401


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"aud": "another-system"}, "aud"),
        ({"aud": None}, "aud"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": None}, "iss"),
        ({"sub": None}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "a\nb"}, "sub"),
        ({"sub": "a" * 400}, "sub"),
        ({"exp": None}, "exp"),
        ({"exp": "never"}, "exp"),
    ],
)
async def test_a_token_for_another_purpose_is_refused(
    api: Api, issuer: Issuer, claims: dict[str, Any], says: str
) -> None:
    answer = await api.get(GOALS, headers=bearer(issuer.token("rsa-1", **claims)))
    assert (answer.status, says in answer.json["message"]) == (401, True)


async def test_clocks_may_differ_by_a_minute(api: Api, issuer: Issuer) -> None:
    now = issuer.claims()["iat"]
    assert await status(api, issuer.token("rsa-1", exp=now - SKEW_S + 20)) == 200
    assert await status(api, issuer.token("rsa-1", exp=now - SKEW_S - 20)) == 401
    assert await status(api, issuer.token("rsa-1", nbf=now + SKEW_S - 20)) == 200
    assert await status(api, issuer.token("rsa-1", nbf=now + SKEW_S + 20)) == 401


async def test_a_token_that_was_accepted_is_refused_after_it_expires_and_its_streams_end(
    api: Api, issuer: Issuer
) -> None:
    token = issuer.token("rsa-1", exp=issuer.claims()["iat"] - SKEW_S + 3)
    async with watching_path(api, "/api/v1/events", **bearer(token)) as client:
        await client.next()
        assert await client.broken()
    assert await status(api, token) == 401


# ── keys of the issuer ──────────────────────────────────────────────────────────────────────────────────


async def test_a_new_key_of_the_issuer_is_known_with_its_first_token(api: Api, issuer: Issuer) -> None:
    assert await status(api, issuer.token("rsa-1")) == 200
    issuer.rsa("rsa-2")
    assert await status(api, issuer.token("rsa-2")) == 200
    assert issuer.fetches == 2


async def test_tokens_with_unknown_keys_do_not_make_the_issuer_busy(api: Api, issuer: Issuer) -> None:
    stranger = Issuer()
    stranger.url = issuer.url
    for kid in ("x-1", "x-2", "x-3"):
        stranger.rsa(kid)
        assert await status(api, stranger.token(kid)) == 401
    assert issuer.fetches == 2


async def test_a_key_that_the_issuer_removed_is_refused_after_a_while(issuer: Issuer) -> None:
    now = 0.0
    keys = IssuerKeys(issuer.url, lambda: now)
    assert await keys.get("rsa-1")
    generation = keys.generation
    issuer.rsa("rsa-2")
    del issuer.keys["rsa-1"]
    now = issuers.FRESH_S + 1
    assert await keys.get("rsa-1") is None
    assert keys.generation > generation


async def test_an_issuer_that_is_away_is_not_asked_for_known_keys(issuer: Issuer) -> None:
    now = 0.0
    keys = IssuerKeys(issuer.url, lambda: now)
    assert await keys.get("rsa-1")
    issuer.is_away = True
    now = issuers.FRESH_S + 1
    assert await keys.get("rsa-1")


async def test_an_issuer_that_never_answered_is_a_reason_to_try_again(api: Api, issuer: Issuer) -> None:
    issuer.is_away = True
    token = issuer.token("rsa-1")
    answer = await api.get(GOALS, headers=bearer(token))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    issuer.is_away = False
    assert await status(api, token) == 200


async def test_an_issuer_with_another_name_is_not_believed(api: Api, issuer: Issuer) -> None:
    issuer.announced = "https://evil.example"
    answer = await api.get(GOALS, headers=bearer(issuer.token("rsa-1")))
    assert answer.status == 503
    assert "OIDC_ISSUER" in answer.json["error"]


async def test_keys_that_cannot_be_used_do_not_hinder_the_others(api: Api, issuer: Issuer) -> None:
    issuer.extra_keys = [
        7,
        {},
        {"kid": "a", "kty": "oct", "k": "c2VjcmV0"},
        {"kid": "b", "kty": "RSA", "n": "!", "e": "AQAB"},
        {"kid": "c", "kty": "EC", "crv": "P-521", "x": "", "y": ""},
        {"kid": "d", "kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"},
    ]
    assert await status(api, issuer.token("rsa-1")) == 200


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "OIDC_ISSUER"),
        ({"oidc_issuer": "https://x.example"}, "OIDC_AUDIENCE"),
        ({"oidc_issuer": "http://x.example", "oidc_audience": "a"}, "https://"),
        ({"oidc_issuer": "https://x.example", "oidc_audience": "a", "oidc_roles": "a=write"}, "read, run"),
        ({"oidc_issuer": "https://x.example", "oidc_audience": "a", "oidc_roles": "read"}, "<role>=<scope>"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSettings, match=says):
        GatewaySettings(_env_file=None, auth="oidc", **given)


def test_without_a_list_of_roles_each_scope_is_a_role() -> None:
    settings = GatewaySettings(_env_file=None)
    assert settings.role_scopes == {str(scope): frozenset({scope}) for scope in Scope}
