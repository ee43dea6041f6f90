"""Servers that tools talk to, and a session that may reach them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from executor.tools.addresses import AllowedHost
from executor.tools.guard import guarded_session
from executor.tools.pages import Pages
from executor.tools.parsers import Parsers
from tests.services.executor.tools.parsing import PARSERS
from tests.waiting import WAIT_S

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def ok(request: web.Request) -> web.StreamResponse:
    return web.Response(text=f"text of {request.path}")


async def say(request: web.Request) -> web.StreamResponse:
    """Answers with the status in the path and the headers in the query."""
    return web.Response(status=int(request.match_info["status"]), headers=dict(request.query), text="text")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources of tools have time to start on a busy machine."""
    monkeypatch.setattr("executor.tools.sources.START_S", WAIT_S)


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_get("/say/{status}", say)
    app.router.add_get("/{path:.*}", ok)
    running = TestServer(app)
    async with running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    """A session that may reach the servers of the tests."""
    async with guarded_session([AllowedHost.parse("127.0.0.1")]) as session:
        yield session


@pytest.fixture(scope="session", autouse=True)
def parsers() -> Iterator[Parsers]:
    """Those of all tests, closed after the last one."""
    yield PARSERS
    asyncio.run(PARSERS.__aexit__())


@pytest.fixture
def web_pages(http: ClientSession, parsers: Parsers) -> Pages:
    """Pages of the servers of the tests."""
    return Pages(http, parsers)


@pytest.fixture
async def serving() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    """Starts a server that answers everything by one handler; gives its URL."""
    servers: list[TestServer] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        servers.append(TestServer(app))
        await servers[-1].start_server()
        return str(servers[-1].make_url("/"))

    yield start
    for running in servers:
        await running.close()
