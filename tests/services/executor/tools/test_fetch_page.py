"""fetchPage against a real HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from executor.tools import pages
from executor.tools.fetch_page import fetch_page
from executor.tools.tool import CallContext

CALL = CallContext("run/001")


async def page(http: ClientSession, url: object, **params: Json) -> Json:
    return await fetch_page(http).invoke({"url": str(url), **params}, CALL)


async def test_a_page_comes_with_all_that_is_known_of_it(http: ClientSession, server: TestServer) -> None:
    url = str(server.make_url("/a"))
    assert await page(http, url) == {
        "url": url,
        "title": "Untitled",
        "content": "text of /a",
        "contentLength": 10,
        "truncated": False,
        "contentType": "text/plain",
    }


async def test_a_page_of_3_mb_is_cut_and_says_how_long_it_was(
    http: ClientSession, serving: Callable[..., Json]
) -> None:
    async def long(request: web.Request) -> web.StreamResponse:
        return web.Response(text="€" * 1_000_000)

    found = await page(http, await serving(long), maxLength=100)
    assert (found["content"], found["contentLength"], found["truncated"]) == ("€" * 100, 1_000_000, True)


async def test_a_body_beyond_the_cap_is_rejected_without_reading_it_all(
    http: ClientSession, serving: Callable[..., Json]
) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        while sent < 10 * pages.MAX_BODY:
            sent += 1024 * 1024
            await response.write(b"x" * 1024 * 1024)
        return response

    with pytest.raises(Reject, match="larger than 10 MiB"):
        await page(http, await serving(endless))
    assert sent < 2 * pages.MAX_BODY


async def test_compressed_bodies_count_as_they_unfold(
    http: ClientSession, serving: Callable[..., Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bomb(request: web.Request) -> web.StreamResponse:
        response = web.Response(text="x" * 1_000_000)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    monkeypatch.setattr(pages, "MAX_BODY", 100_000)
    with pytest.raises(Reject, match="larger than"):
        await page(http, await serving(bomb))


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, "HTTP 404: Not Found"), (403, "HTTP 403: Forbidden"), (410, "HTTP 410: Gone")],
)
async def test_a_refusal_is_final(http: ClientSession, server: TestServer, status: int, reason: str) -> None:
    with pytest.raises(Reject, match=reason):
        await page(http, server.make_url(f"/say/{status}"))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_trouble_of_the_server_is_tried_again(
    http: ClientSession, server: TestServer, status: int
) -> None:
    with pytest.raises(Retry, match=f"HTTP {status}: ") as later:
        await page(http, server.make_url(f"/say/{status}"))
    assert later.value.after is None


async def test_the_server_says_when_to_come_again(http: ClientSession, server: TestServer) -> None:
    with pytest.raises(Retry) as later:
        await page(http, server.make_url("/say/429").with_query({"Retry-After": "7"}))
    assert later.value.after == 7
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)
    with pytest.raises(Retry) as later:
        await page(http, server.make_url("/say/503").with_query({"Retry-After": date}))
    assert later.value.after == pytest.approx(120, abs=10)


@pytest.mark.parametrize(
    ("said", "wait"), [("99999999999", 3600), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("soon", None)]
)
async def test_no_server_keeps_us_away_for_ever(
    http: ClientSession, server: TestServer, said: str, wait: float | None
) -> None:
    with pytest.raises(Retry) as later:
        await page(http, server.make_url("/say/429").with_query({"Retry-After": said}))
    assert later.value.after == wait


async def test_a_server_that_never_answers_is_tried_again(
    http: ClientSession, serving: Callable[..., Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(pages, "TIMEOUT_S", 0.05)
    with pytest.raises(Retry, match=r"No answer from .* within 0\.05 s"):
        await page(http, await serving(silent))


async def test_a_connection_that_breaks_is_tried_again(
    http: ClientSession, serving: Callable[..., Json]
) -> None:
    async def breaking(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    with pytest.raises(Retry, match="The connection to"):
        await page(http, await serving(breaking))


async def test_a_port_nobody_listens_on_is_tried_again(http: ClientSession, server: TestServer) -> None:
    url = server.make_url("/")
    await server.close()
    with pytest.raises(Retry, match="Cannot reach"):
        await page(http, url)


async def test_what_is_no_text_is_rejected(http: ClientSession, serving: Callable[..., Json]) -> None:
    async def image(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"\x89PNG", content_type="image/png")

    with pytest.raises(Reject, match="Unsupported content type: image/png"):
        await page(http, await serving(image))


async def test_cookies_of_one_page_are_not_sent_to_the_next(
    http: ClientSession, serving: Callable[..., Json]
) -> None:
    cookies: list[str | None] = []

    async def setting(request: web.Request) -> web.StreamResponse:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(text="x", headers={"Set-Cookie": "a=b; Path=/"})

    url = await serving(setting)
    await page(http, url)
    await page(http, url)
    assert cookies == [None, None]
