"""The documents as they are served, and the proof that answers are held to them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from contracts.domain.agent import AGENT, Created
from contracts.domain.registry import AGGREGATES
from gateway.app import ENDPOINTS, create_app
from gateway.console import assets
from gateway.documents.asyncapi import asyncapi
from gateway.documents.openapi import template
from gateway.mcp.endpoint import PATH
from tests.described import described

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

AGENT_PATH = "/api/v1/agents/a1"


async def test_the_served_document_is_made_of_what_serves_the_requests(api: Api) -> None:
    answer = await api.get("/openapi.json")
    assert answer.status == 200
    assert answer.json == orjson.loads(orjson.dumps(described()))


async def test_every_route_of_the_application_is_in_the_document(api: Api) -> None:
    """HEAD is everywhere where GET is. The pages of the console and MCP are not part of the API."""
    pages = {route.path.replace(":.+", "") for route in assets.routes()} | {PATH}
    routes = [
        (route.method, route.resource.canonical)
        for route in create_app(api.gateway).router.routes()
        if route.resource and route.method != "HEAD" and route.resource.canonical not in pages
    ]
    paths = (await api.get("/openapi.json")).json["paths"]
    assert {(method, template(path)) for method, path in routes} == {
        (method.upper(), path) for path, item in paths.items() for method in item
    }
    assert len(routes) == len(ENDPOINTS)


async def test_the_log_is_described_with_the_address_of_this_nats(start_gateway: StartGateway) -> None:
    api = await start_gateway(nats_url="nats://me:secret@nats.example:4333")
    answer = await api.get("/asyncapi.json")
    assert answer.json == orjson.loads(orjson.dumps(asyncapi("nats://nats.example:4333")))


async def test_the_page_may_load_nothing_and_run_nothing(api: Api) -> None:
    answer = await api.get("/docs")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (
        answer.headers["content-security-policy"]
        == "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    )
    assert answer.body.startswith(b"<!doctype html>")
    assert all(one.summary.encode() in answer.body for one in ENDPOINTS if "'" not in one.summary)


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json", "/docs"])
async def test_documents_answer_head(api: Api, path: str) -> None:
    got, head = await api.get(path), await api.call("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(got.body))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 418},
        {"status": 201},
        {"body": b'{"id": "a1"}'},
        {"extra": 1},
        {"name": 1},
        {"createdAt": "yesterday"},
        {"body": b"[]"},
        {"headers": {"content-type": "text/plain"}},
    ],
    ids=lambda one: next(iter(one)),
)
async def test_an_answer_that_is_not_in_the_document_is_noticed(
    api: Api, contract: Any, changes: dict[str, Any]
) -> None:
    """Every answer in the tests of the gateway is checked like this."""
    await api.write(AGENT, "a1", Created(name="A", version_name="1", prompt_template="p"))
    answer = await api.get(AGENT_PATH)
    if set(changes) & {"status", "body", "headers"}:
        changed = replace(answer, **changes)
    else:
        changed = replace(answer, body=orjson.dumps(answer.json | changes))
    with pytest.raises(AssertionError):
        contract.check("GET", AGENT_PATH, changed)


async def test_an_unknown_route_may_only_be_404(api: Api, contract: Any) -> None:
    answer = await api.get("/nope")
    contract.check("GET", "/nope", answer)
    with pytest.raises(AssertionError):
        contract.check("GET", "/nope", replace(answer, status=200))


async def test_the_schema_that_an_event_names_is_served_and_holds_for_it(api: Api) -> None:
    kinds = [event for aggregate in AGGREGATES for event in aggregate.events]
    for kind in kinds:
        schema = (await api.get(f"/schemas/{kind.type}/{kind.version}")).json
        Draft202012Validator.check_schema(schema)
        assert (schema["$id"], schema["title"]) == (f"/schemas/{kind.type}/{kind.version}", kind.type)
    created = Created(name="A", version_name="1", prompt_template="x").model_dump(mode="json")
    validator = Draft202012Validator((await api.get("/schemas/agent.created/1")).json)
    assert validator.is_valid(created)
    assert not validator.is_valid(created | {"name": 1})


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("run.complete/1", "There is no event type 'run.complete'; did you mean 'run.completed'?"),
        (
            "agent.created/9",
            "Events of type agent.created are served in the shape of /schemas/agent.created/1",
        ),
    ],
)
async def test_a_schema_that_there_is_not_is_404_and_says_which_there_is(
    api: Api, path: str, error: str
) -> None:
    answer = await api.get(f"/schemas/{path}")
    assert (answer.status, answer.json) == (404, {"error": error})
