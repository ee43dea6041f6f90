"""The address guard against real sockets."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop
from aiohttp import ClientSession, TCPConnector, web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from executor.tools import pages
from executor.tools.addresses import AllowedHost
from executor.tools.fetch_page import fetch_page
from executor.tools.fetch_urls import fetch_urls
from executor.tools.guard import SystemResolver, guarded_session
from executor.tools.pages import Pages
from executor.tools.send_webhook import send_webhook
from executor.tools.tool import CallContext, Tool
from tests.services.executor.tools.parsing import PARSERS

CALL = CallContext("run/001")


class Names(AbstractResolver):
    """Resolves names as the test says, in place of DNS."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses[host.partition(".")[0]]
        ]

    async def close(self) -> None:
        pass


class Ours(SystemResolver):
    """Resolves `ours.example` to this machine, and other names as the system does."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        is_ours = host.rstrip(".").lower() == "ours.example"
        return await super().resolve(OURS if is_ours else host, port, family)


async def page(http: ClientSession, url: object, **params: Json) -> Json:
    return await fetch_page(Pages(http, PARSERS)).invoke({"url": str(url), **params}, CALL)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ],
)
async def test_this_machine_is_blocked_however_it_is_spelt(server: TestServer, host: str) -> None:
    async with guarded_session(()) as http:
        with pytest.raises(Reject, match=r"Blocked address|not a canonical IPv4 address"):
            await page(http, f"http://{host}:{server.port}/a")


OURS = "127.0.0.1"
SPELLINGS = [
    "localhost",
    "LOCALHOST.",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0",
    "0.0.0.0",
    "[::]",
    "[::1]",
    "[::1%25lo]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:127.0.0.1%25lo]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "\uff11\uff12\uff17.0.0.1",
    "\u2460\u2461\u2466.0.0.1",
    "127。0。0。1",
    "%31%32%37.0.0.1",
    "public.example@127.0.0.1",
    "public.example:80@127.0.0.1",
    "public.example%00@127.0.0.1",
    "public.example\\@127.0.0.1",
    "127.0.0.1:{}#@public.example",
    "127.0.0.1:{}?@public.example",
    "ours.example",
    "ours.example.",
    "OURS.example",
]
"""Ways to write the host of this machine in a URL; `ours.example` resolves to it. Braces are the port."""
CALLS: dict[str, Callable[[Pages], tuple[Tool[Any], Callable[[str], dict[str, Json]]]]] = {
    "fetchPage": lambda pages: (fetch_page(pages), lambda url: {"url": url}),
    "fetchURLs": lambda pages: (fetch_urls(pages), lambda url: {"urls": [url]}),
    "sendWebhook": lambda pages: (
        send_webhook(pages.http, b""),
        lambda url: {"url": url, "payload": {}},
    ),
}
"""All tools that take a URL. Webhooks of goals are calls of sendWebhook."""


@pytest.fixture
async def visited() -> AsyncIterator[tuple[int, list[str]]]:
    """The port of a server on all addresses of this machine, and the paths that were asked for."""
    visits: list[str] = []

    async def visit(request: web.Request) -> web.StreamResponse:
        visits.append(request.path)
        return web.Response(text="secret")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", visit)
    runner = web.AppRunner(app)
    await runner.setup()
    both = socket.has_dualstack_ipv6()
    address, family = ("::", socket.AF_INET6) if both else ("0.0.0.0", socket.AF_INET)
    bound = socket.create_server((address, 0), family=family, dualstack_ipv6=both)
    await web.SockSite(runner, bound).start()
    yield bound.getsockname()[1], visits
    await runner.cleanup()


@pytest.mark.parametrize("tool", CALLS)
@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_tool_reaches_this_machine_however_it_is_spelt(
    visited: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch, tool: str, host: str
) -> None:
    port, visits = visited
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(proxy, f"http://{OURS}:{port}")
    url = f"http://{host if '{}' in host else host + ':{}'}/".format(port)
    async with guarded_session((), Ours(), ports={80, 443, port}) as http:
        called, params_of = CALLS[tool](Pages(http, PARSERS))
        with pytest.raises((Reject, Retry)):
            await called.invoke(params_of(url), CALL)
    assert visits == []


async def test_a_redirect_to_a_blocked_address_is_blocked(server: TestServer) -> None:
    async with guarded_session([AllowedHost.parse(f"127.0.0.1:{server.port}")]) as http:
        assert await page(http, server.make_url("/say/200"))
        redirect = server.make_url("/say/302").with_query(Location="http://169.254.169.254/latest/meta-data/")
        with pytest.raises(Reject, match=r"Blocked address 169\.254\.169\.254: link-local, cloud metadata"):
            await page(http, redirect)


async def test_a_redirect_within_what_is_allowed_is_followed(http: ClientSession, server: TestServer) -> None:
    found = await page(http, server.make_url("/say/307").with_query(Location="/a"))
    assert found["content"] == "text of /a"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://a.example/", "javascript:x"])
async def test_a_redirect_out_of_http_is_rejected(
    http: ClientSession, server: TestServer, target: str
) -> None:
    with pytest.raises(Reject, match="Cannot open"):
        await page(http, server.make_url("/say/302").with_query(Location=target))


async def test_redirects_end_somewhere(http: ClientSession, serving: Callable[..., Json]) -> None:
    visits = 0

    async def onward(request: web.Request) -> web.StreamResponse:
        nonlocal visits
        visits += 1
        return web.Response(status=302, headers={"Location": f"/{visits}"})

    with pytest.raises(Reject, match="Too many redirects"):
        await page(http, await serving(onward))
    assert visits == pages.MAX_REDIRECTS


async def test_a_harmless_name_for_a_private_address_is_blocked(server: TestServer) -> None:
    async with guarded_session((), Names(harmless=["127.0.0.1"])) as http:
        with pytest.raises(Reject, match=r"Blocked address 127\.0\.0\.1: loopback"):
            await page(http, f"http://harmless.example:{server.port}/a")


async def test_a_name_is_blocked_when_all_its_addresses_are(server: TestServer) -> None:
    async with guarded_session((), Names(harmless=["::1", "127.0.0.1", "10.0.0.1"])) as http:
        with pytest.raises(Reject, match="Blocked address"):
            await page(http, f"http://harmless.example:{server.port}/a")


async def test_only_allowed_addresses_of_a_name_are_connected_to(server: TestServer) -> None:
    names = Names(both=["10.255.255.1", "127.0.0.1"])
    async with guarded_session([AllowedHost.parse("127.0.0.1")], names) as http:
        assert (await page(http, f"http://both.example:{server.port}/a"))["content"] == "text of /a"


async def test_an_allowed_name_is_let_through_and_no_other_name_of_its_address(server: TestServer) -> None:
    """Whatever has the same address may be another site: only the name was allowed."""
    names = Names(front=["127.0.0.1"], back=["127.0.0.1"])
    async with guarded_session([AllowedHost.parse(f"front.example:{server.port}")], names) as http:
        front, back = f"http://front.example:{server.port}", f"http://back.example:{server.port}"
        assert (await page(http, f"{front}/a"))["content"] == "text of /a"
        with pytest.raises(Reject, match="Blocked address"):
            await page(http, f"{back}/a")
        with pytest.raises(Reject, match="Blocked address"):
            await page(http, f"{front}/say/302?Location={back}/a")
        with pytest.raises(Reject, match="Blocked address"):
            await page(http, f"http://127.0.0.1:{server.port}/a")


async def test_a_name_that_turns_private_later_is_blocked_then(server: TestServer) -> None:
    names = Names(turning=["127.0.0.1"])
    async with guarded_session([AllowedHost.parse("127.0.0.1")], names) as http:
        assert isinstance(http.connector, TCPConnector)
        http.connector._force_close = True
        assert await page(http, f"http://turning.example:{server.port}/a")
        names.addresses["turning"] = ["169.254.169.254"]
        http.connector.clear_dns_cache()
        with pytest.raises(Reject, match=r"Blocked address 169\.254\.169\.254"):
            await page(http, f"http://turning.example:{server.port}/a")


def test_the_guard_and_its_allowed_names_hold_on_uvloop_too() -> None:
    async def hello(request: web.Request) -> web.StreamResponse:
        return web.Response(text="hello")

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/a", hello)
        names = Names(front=["127.0.0.1"], back=["::1", "127.0.0.1"])
        async with (
            TestServer(app) as server,
            guarded_session([AllowedHost.parse("front.example")], names) as http,
        ):
            assert (await page(http, f"http://front.example:{server.port}/a"))["content"] == "hello"
            with pytest.raises(Reject, match="Blocked address"):
                await page(http, f"http://back.example:{server.port}/a")

    uvloop.run(main())
