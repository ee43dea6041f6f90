"""The table of all routes and all principals, made from the endpoints: who gets in where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from contracts.core.scopes import Scope, granted
from gateway.app import ENDPOINTS, create_app
from gateway.console import assets
from gateway.documents.openapi import template
from gateway.endpoint import Endpoint
from gateway.mcp.endpoint import PATH
from tests.described import described
from tests.services.gateway.access.conftest import Guarded

if TYPE_CHECKING:
    from tests.services.conftest import StartGateway

PUBLIC = {"get_health", "get_readiness"}
"""The only operations that need no key."""
ADMINISTRATION = re.compile(r"/api/v1/(agents|keys)\b")
REFUSALS = {401, 403}


def path_of(endpoint: Endpoint) -> str:
    """A path of the route; its ids do not exist."""
    return re.sub(r"\{\w+\}", "x", template(endpoint.path))


async def status(guarded: Guarded, endpoint: Endpoint, headers: Mapping[str, str]) -> int:
    """The status of a request without a body, read without waiting for the end of a stream."""
    url = f"{guarded.api.url}{path_of(endpoint)}"
    async with guarded.api.http.request(endpoint.method, url, headers=headers) as response:
        return response.status


async def test_an_endpoint_lets_in_only_who_has_its_scope(start_gateway: StartGateway) -> None:
    guarded = Guarded(await start_gateway(auth="keys", rate_limit_max=100_000))
    admitted = {scope: (await guarded.key(scope, scope), granted((scope,))) for scope in Scope}
    refused = {
        "wrong": guarded.header("admin", secret="6" * 64),
        "unknown": guarded.header("nobody"),
        "expired": await guarded.expired("old"),
        "revoked": await guarded.revoked("gone"),
        "no bearer": {"Authorization": "Basic YWRtaW46YWRtaW4="},
    }
    wrong: list[tuple[object, ...]] = []
    for endpoint in ENDPOINTS:
        without = await status(guarded, endpoint, {})
        if endpoint.scope is None:
            wrong += [(endpoint.name, without)] if without in REFUSALS else []
            continue
        got = {name: await status(guarded, endpoint, headers) for name, headers in refused.items()}
        wrong += [(endpoint.name, who, one) for who, one in {"no key": without, **got}.items() if one != 401]
        for scope, (headers, may) in admitted.items():
            one = await status(guarded, endpoint, headers)
            if (one not in REFUSALS) is not (endpoint.scope in may) or one == 429:
                wrong.append((endpoint.name, scope, one))
    assert wrong == []


def test_every_endpoint_declares_the_scope_that_its_effect_needs() -> None:
    for endpoint in ENDPOINTS:
        if endpoint.name in PUBLIC:
            assert endpoint.scope is None
        elif ADMINISTRATION.match(endpoint.path) and endpoint.method != "GET":
            assert endpoint.scope is Scope.ADMIN, endpoint.name
        elif endpoint.method == "GET":
            assert endpoint.scope in {Scope.READ, Scope.ADMIN}, endpoint.name
        else:
            assert endpoint.scope in {Scope.RUN, Scope.APPROVE}, endpoint.name


async def test_every_route_of_the_application_is_an_endpoint_a_file_or_mcp(guarded: Guarded) -> None:
    """So that no route is outside the table. The files of the console are the same for everybody.

    For MCP see test_mcp_keys.
    """
    routes = {(one.method, one.resource.canonical) for one in routes_of(create_app(guarded.api.gateway))}
    declared = {(one.method, template(one.path)) for one in ENDPOINTS}
    heads = {("HEAD", path) for method, path in declared if method == "GET"}
    files = {
        (method, route.path.replace(":.+", "")) for route in assets.routes() for method in ("GET", "HEAD")
    }
    assert routes == declared | heads | files | {("POST", PATH)}


def routes_of(app: web.Application) -> list[Any]:
    return [one for one in app.router.routes() if one.resource is not None]


async def test_clients_without_a_scope_do_not_learn_which_routes_exist(guarded: Guarded) -> None:
    assert (await guarded.api.get("/api/v1/nothing")).status == 401
    header = await guarded.key("reader", Scope.READ)
    assert (await guarded.api.get("/api/v1/nothing", headers=header)).status == 404


def test_the_document_names_the_scope_of_every_operation() -> None:
    document = described()
    (scheme,) = document["components"]["securitySchemes"]
    for endpoint in ENDPOINTS:
        operation = document["paths"][template(endpoint.path)][endpoint.method.lower()]
        assert operation["security"] == ([{scheme: [endpoint.scope]}] if endpoint.scope else [])
