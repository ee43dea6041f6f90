"""Operations of an HTTP API are offered and called as tools. The API is a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from contracts.core.outcome import Reject, Retry
from contracts.core.tool import Effect
from deploy.local.ports import free_port
from executor.tools.openapi import api
from executor.tools.registry import Registry
from executor.tools.tool import CallContext
from tests.services.executor.tools.from_sources import tools_of

if TYPE_CHECKING:
    from tests.conftest import Eventually

CALL = CallContext("run_1/001")
TOKEN = "token-of-the-shop-1234"
STATUS = {"name": "status", "in": "query", "schema": {"type": "integer"}}
DOCUMENT = {
    "openapi": "3.1.0",
    "servers": [{"url": "/v1"}],
    "paths": {
        "/items/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"operationId": "getItem", "summary": "Get an item", "parameters": [STATUS]},
            "put": {"operationId": "putItem"},
        },
        "/orders": {
            "post": {
                "operationId": "addOrder",
                "parameters": [STATUS],
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {"item": {"type": "string"}},
                                "required": ["item"],
                            }
                        }
                    }
                },
            }
        },
        "/payments": {
            "post": {
                "operationId": "pay",
                "parameters": [{"name": "Idempotency-Key", "in": "header", "required": True, "schema": {}}],
            }
        },
    },
}


class Shop:
    """The API, and the requests that it got."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []

    async def document(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(DOCUMENT)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        status = int(request.query.get("status", 200))
        headers = {"Location": "/elsewhere"} if status == 302 else {}
        return web.json_response(
            {"path": request.path, "token": request.headers.get("X-Token")}, status=status, headers=headers
        )


@asynccontextmanager
async def shop_at(port: int) -> AsyncGenerator[Shop]:
    shop = Shop()
    app = web.Application()
    app.router.add_get("/openapi.json", shop.document)
    app.router.add_route("*", "/{path:.*}", shop.answer)
    async with TestServer(app, port=port):
        yield shop


@asynccontextmanager
async def offered(tmp_path: Path, **config: Any) -> AsyncGenerator[Registry]:
    async with tools_of(tmp_path, "openapi_tools", {"apis": {"shop": config}}) as (tools, _):
        yield tools


@asynccontextmanager
async def shopping(tmp_path: Path, **config: Any) -> AsyncGenerator[tuple[Registry, Shop]]:
    port = free_port("127.0.0.1", 0)
    async with (
        shop_at(port) as shop,
        offered(tmp_path, document=f"http://127.0.0.1:{port}/openapi.json", **config) as tools,
    ):
        yield tools, shop


async def test_operations_are_offered_and_called_with_the_headers_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    async with shopping(tmp_path, headers={"X-Token": "${SHOP_TOKEN}"}, deny=["putItem"]) as (tools, shop):
        assert set(tools.available) == {"shop__getItem", "shop__addOrder", "shop__pay"}
        assert tools.get("shop__getItem").spec.description == "Get an item"
        result = await tools.get("shop__getItem").invoke({"id": "a/b"}, CALL)

    assert result["path"] == "/v1/items/a/b"
    assert shop.requests[0].raw_path == "/v1/items/a%2Fb"
    assert shop.requests[0].headers["X-Token"] == TOKEN
    assert TOKEN not in str(result)


async def test_the_method_says_what_a_second_call_does_and_the_configuration_overrides_it(
    tmp_path: Path,
) -> None:
    async with shopping(tmp_path, effects={"addOrder": "idempotent"}, outward=False) as (tools, _):
        effects = {name: tools.get(f"shop__{name}").effect for name in ("getItem", "putItem", "addOrder")}
        assert tools.get("shop__addOrder").outward is None
    async with shopping(tmp_path) as (tools, _):
        assert tools.get("shop__addOrder").effect is Effect.ONCE
        assert tools.get("shop__addOrder").outward is not None
        assert tools.get("shop__getItem").outward is None

    assert effects == {"getItem": Effect.READ, "putItem": Effect.IDEMPOTENT, "addOrder": Effect.IDEMPOTENT}


async def test_the_body_is_sent_as_json_and_checked_before(tmp_path: Path) -> None:
    async with shopping(tmp_path) as (tools, shop):
        await tools.get("shop__addOrder").invoke({"item": "tea"}, CALL)
        with pytest.raises(Reject, match="'item' is a required property"):
            await tools.get("shop__addOrder").invoke({}, CALL)

    assert [json.loads(body) for body in shop.bodies] == [{"item": "tea"}]


async def test_an_idempotency_key_is_filled_where_the_api_takes_one(tmp_path: Path) -> None:
    async with shopping(tmp_path) as (tools, shop):
        pay = tools.get("shop__pay")
        assert "Idempotency-Key" not in pay.spec.parameters["properties"]
        assert pay.effect is Effect.IDEMPOTENT
        await pay.invoke({}, CALL)

    assert shop.requests[0].headers["Idempotency-Key"] == CALL.idempotency_key


@pytest.mark.parametrize(
    ("tool", "status", "error", "said"),
    [
        ("getItem", 404, Reject, "HTTP 404"),
        ("getItem", 503, Retry, "HTTP 503"),
        ("getItem", 302, Reject, "HTTP 302"),
        ("addOrder", 429, Retry, "HTTP 429"),
        ("addOrder", 422, Reject, "/v1/orders"),
        ("addOrder", 500, Reject, "may have taken effect"),
    ],
)
async def test_a_refusal_is_told_and_a_call_that_may_have_worked_is_not_repeated(
    tmp_path: Path, tool: str, status: int, error: type[Exception], said: str
) -> None:
    params = {"status": status, **({"id": "1"} if tool == "getItem" else {"item": "tea"})}
    async with shopping(tmp_path) as (tools, shop):
        with pytest.raises(error, match=said):
            await tools.get(f"shop__{tool}").invoke(params, CALL)

    assert len(shop.requests) == 1


async def test_an_api_that_is_away_at_the_start_is_offered_when_it_comes(
    tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executor.tools.sources.START_S", 0.05)
    monkeypatch.setattr(api, "FIRST_PAUSE_S", 0.05)
    port = free_port("127.0.0.1", 0)
    async with offered(tmp_path, document=f"http://127.0.0.1:{port}/openapi.json") as tools:
        assert tools.available == ()
        async with shop_at(port):
            await eventually(lambda: "shop__getItem" in tools.available)
        with pytest.raises(Retry, match="cannot reach shop"):
            await tools.get("shop__getItem").invoke({"id": "1"}, CALL)


@pytest.fixture
def is_said(capsys: pytest.CaptureFixture[str]) -> Callable[[str], bool]:
    """Whether a text is in what the log has said since the beginning of the test."""
    said: list[str] = []

    def found(text: str) -> bool:
        said.append(capsys.readouterr().out)
        return text in "".join(said)

    return found


async def test_a_redirect_of_the_document_does_not_carry_the_headers_elsewhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
    is_said: Callable[[str], bool],
) -> None:
    monkeypatch.setattr("executor.tools.sources.START_S", 0.05)
    port = free_port("127.0.0.1", 0)
    document = f"http://127.0.0.1:{port}/moved?status=302"
    async with shop_at(port) as shop, offered(tmp_path, document=document, headers={"X-Token": "t"}) as tools:
        await eventually(lambda: is_said("set `document` to the address"))
        assert tools.available == ()
    assert {request.path for request in shop.requests} == {"/moved"}


async def test_a_document_in_a_file_needs_the_address_of_the_api(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
    is_said: Callable[[str], bool],
) -> None:
    monkeypatch.setattr("executor.tools.sources.START_S", 0.05)
    monkeypatch.setattr(api, "FIRST_PAUSE_S", 0.05)
    (tmp_path / "shop.json").write_text(json.dumps(DOCUMENT))
    document = str(tmp_path / "shop.json")
    async with offered(tmp_path, document=document) as tools:
        await eventually(lambda: is_said("set `url`"))
        assert tools.available == ()
    async with offered(tmp_path, document=document, url="http://127.0.0.1:9") as tools:
        assert "shop__getItem" in tools.available
