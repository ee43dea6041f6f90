"""fetchPage against a real HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from executor.tools import pages
from executor.tools.fetch_page import fetch_page
from executor.tools.pages import Pages
from executor.tools.tool import CallContext

CALL = CallContext("run/001")


async def page(web_pages: Pages, url: object, **params: Json) -> Json:
    return await fetch_page(web_pages).invoke({"url": str(url), **params}, CALL)


async def test_a_page_comes_with_all_that_is_known_of_it(web_pages: Pages, server: TestServer) -> None:
    url = str(server.make_url("/a"))
    assert await page(web_pages, url) == {
        "url": url,
        "title": "Untitled",
        "content": "text of /a",
        "contentLength": 10,
        "truncated": False,
        "contentType": "text/plain",
        "encoding": "utf-8",
    }


async def test_a_page_of_3_mb_is_cut_and_says_how_long_it_was(
    web_pages: Pages, serving: Callable[..., Json]
) -> None:
    async def long(request: web.Request) -> web.StreamResponse:
        return web.Response(text="€" * 1_000_000)

    found = await page(web_pages, await serving(long), maxLength=100)
    assert (found["content"], found["contentLength"], found["truncated"]) == ("€" * 100, 1_000_000, True)


async def test_a_body_beyond_the_cap_is_rejected_without_reading_it_all(
    web_pages: Pages, serving: Callable[..., Json]
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
        await page(web_pages, await serving(endless))
    assert sent < 2 * pages.MAX_BODY


async def test_compressed_bodies_count_as_they_unfold(
    web_pages: Pages, serving: Callable[..., Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bomb(request: web.Request) -> web.StreamResponse:
        response = web.Response(text="x" * 1_000_000)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    monkeypatch.setattr(pages, "MAX_BODY", 100_000)
    with pytest.raises(Reject, match="larger than"):
        await page(web_pages, await serving(bomb))


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, "HTTP 404: Not Found"), (403, "HTTP 403: Forbidden"), (410, "HTTP 410: Gone")],
)
async def test_a_refusal_is_final(web_pages: Pages, server: TestServer, status: int, reason: str) -> None:
    with pytest.raises(Reject, match=reason):
        await page(web_pages, server.make_url(f"/say/{status}"))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_an_error_of_the_server_is_retried(web_pages: Pages, server: TestServer, status: int) -> None:
    with pytest.raises(Retry, match=f"HTTP {status}: ") as later:
        await page(web_pages, server.make_url(f"/say/{status}"))
    assert later.value.after is None


async def test_retry_after_of_the_server_is_honoured(web_pages: Pages, server: TestServer) -> None:
    with pytest.raises(Retry) as later:
        await page(web_pages, server.make_url("/say/429").with_query({"Retry-After": "7"}))
    assert later.value.after == 7
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)
    with pytest.raises(Retry) as later:
        await page(web_pages, server.make_url("/say/503").with_query({"Retry-After": date}))
    assert later.value.after == pytest.approx(120, abs=10)


@pytest.mark.parametrize(
    ("said", "wait"), [("99999999999", 3600), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("soon", None)]
)
async def test_retry_after_of_the_server_is_bounded(
    web_pages: Pages, server: TestServer, said: str, wait: float | None
) -> None:
    with pytest.raises(Retry) as later:
        await page(web_pages, server.make_url("/say/429").with_query({"Retry-After": said}))
    assert later.value.after == wait


async def test_a_server_that_never_answers_is_retried(
    web_pages: Pages, serving: Callable[..., Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def discard_progress(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(pages, "TIMEOUT_S", 0.05)
    with pytest.raises(Retry, match=r"No answer from .* within 0\.05 s"):
        await page(web_pages, await serving(discard_progress))


async def test_a_connection_that_breaks_is_retried(web_pages: Pages, serving: Callable[..., Json]) -> None:
    async def breaking(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    with pytest.raises(Retry, match="The connection to"):
        await page(web_pages, await serving(breaking))


async def test_a_port_nobody_listens_on_is_retried(web_pages: Pages, server: TestServer) -> None:
    url = server.make_url("/")
    await server.close()
    with pytest.raises(Retry, match="Cannot reach"):
        await page(web_pages, url)


async def test_a_page_that_is_not_text_is_rejected(web_pages: Pages, serving: Callable[..., Json]) -> None:
    async def image(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"\x89PNG", content_type="image/png")

    with pytest.raises(Reject, match="Unsupported content type: image/png"):
        await page(web_pages, await serving(image))


async def test_cookies_of_one_page_are_not_sent_to_the_next(
    web_pages: Pages, serving: Callable[..., Json]
) -> None:
    cookies: list[str | None] = []

    async def setting(request: web.Request) -> web.StreamResponse:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(text="x", headers={"Set-Cookie": "a=b; Path=/"})

    url = await serving(setting)
    await page(web_pages, url)
    await page(web_pages, url)
    assert cookies == [None, None]


@pytest.fixture
async def untyped() -> AsyncIterator[str]:
    """A server whose answers have no Content-Type; aiohttp's always have one."""
    bodies = {
        "/html": b"<!-- x --> <!DOCTYPE html><title>T</title><p>Text",
        "/text": b"just text",
        "/image": b"\x89PNG\r\n\x1a\n\0\0\0",
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = bodies[head.split()[1].decode()]
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def test_a_page_without_a_content_type_is_known_by_its_bytes(web_pages: Pages, untyped: str) -> None:
    assert (await page(web_pages, f"{untyped}/html"))["contentType"] == "text/html"
    assert (await page(web_pages, f"{untyped}/text"))["content"] == "just text"
    with pytest.raises(Reject, match="Unsupported content type: image/png"):
        await page(web_pages, f"{untyped}/image")


@pytest.mark.parametrize(("status", "body"), [(204, b""), (200, b""), (200, b" \n ")])
async def test_an_empty_answer_is_not_a_page(
    web_pages: Pages, serving: Callable[..., Json], status: int, body: bytes
) -> None:
    async def empty(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, content_type="text/html")

    with pytest.raises(Reject, match=f"is empty \\(HTTP {status}"):
        await page(web_pages, await serving(empty))


async def test_a_page_without_any_text_says_so(web_pages: Pages, serving: Callable[..., Json]) -> None:
    async def application(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<body><div id=app></div><script>run()</script>", content_type="text/html")

    with pytest.raises(Reject, match="has no text: it may need JavaScript"):
        await page(web_pages, await serving(application))


async def test_a_page_of_frames_says_where_they_are(web_pages: Pages, serving: Callable[..., Json]) -> None:
    async def frames(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html><frameset><frame src=b></frameset></html>", content_type="text/html")

    url = await serving(frames)
    with pytest.raises(Reject, match=f"it consists of frames; fetch them instead: {url}b"):
        await page(web_pages, f"{url}a")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "Bad status line"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000 + b"\r\n\r\n", "Got more than"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<p>", "Not enough data"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n<p>", "Can not decode"),
    ],
)
async def test_an_invalid_answer_is_described_in_one_short_line(
    web_pages: Pages, answer: bytes, reason: str
) -> None:
    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(send, "127.0.0.1", 0) as raw:
        url = f"http://127.0.0.1:{raw.sockets[0].getsockname()[1]}/"
        with pytest.raises(Retry, match=f"The connection to {url} failed: {reason}") as failure:
            await page(web_pages, url)
    assert "\n" not in str(failure.value)
    assert len(str(failure.value)) < 300


async def test_a_meta_refresh_is_followed_once(web_pages: Pages, serving: Callable[..., Json]) -> None:
    asked: list[str] = []

    async def leading(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        onward = {"/": "0; url=/second", "/second": "0;URL='/third'", "/slow": "300; url=/second"}
        refresh = f'<meta http-equiv="Refresh" content="{onward[request.path]}">'
        return web.Response(text=f"<head>{refresh}</head><p>This is {request.path}", content_type="text/html")

    url = await serving(leading)
    assert "This is /second" in (await page(web_pages, url))["content"]
    assert asked == ["/", "/second"]
    assert "This is /slow" in (await page(web_pages, f"{url}slow"))["content"]


async def test_a_meta_refresh_to_a_blocked_address_is_blocked(
    web_pages: Pages, serving: Callable[..., Json]
) -> None:
    async def leading(request: web.Request) -> web.StreamResponse:
        text = '<meta http-equiv=refresh content="0; url=http://169.254.169.254/latest/meta-data">x'
        return web.Response(text=text, content_type="text/html")

    with pytest.raises(Reject, match="cloud metadata"):
        await page(web_pages, await serving(leading))


async def test_a_redirect_that_needs_its_cookie_gets_it(
    web_pages: Pages, serving: Callable[..., Json]
) -> None:
    async def wall(request: web.Request) -> web.StreamResponse:
        if request.cookies.get("seen"):
            return web.Response(text="the article")
        raise web.HTTPFound("/", headers={"Set-Cookie": "seen=1; Path=/"})

    url = await serving(wall)
    assert (await page(web_pages, url))["content"] == "the article"


@pytest.mark.parametrize(
    ("label", "written", "read"),
    [
        ("gb2312", "gb18030", "gbk"),
        ("iso-8859-1", "cp1252", "windows-1252"),
        ("shift_jis", "cp932", "shift_jis"),
        (None, "utf-8", "utf-8"),
        (None, "utf-16", "utf-16le"),
    ],
)
async def test_a_page_is_decoded_as_browsers_do_and_says_by_what(
    web_pages: Pages, serving: Callable[..., Json], label: str | None, written: str, read: str
) -> None:
    text = {"gb18030": "太阳能镕", "cp1252": "“5 €”", "cp932": "①髙"}.get(written, "Zoë")

    async def labelled(request: web.Request) -> web.StreamResponse:
        content_type = f"text/plain; charset={label}" if label else "text/plain"
        return web.Response(body=text.encode(written), headers={"Content-Type": content_type})

    found = await page(web_pages, await serving(labelled))
    assert (found["content"], found["encoding"]) == (text, read)


async def test_a_page_that_is_a_login_form_instead_says_so(
    web_pages: Pages, serving: Callable[..., Json]
) -> None:
    async def wanted(request: web.Request) -> web.StreamResponse:
        if "login" in request.query:
            return web.Response(
                text="<h1>Sign in</h1><form><input type=password></form>", content_type="text/html"
            )
        raise web.HTTPFound(f"{request.path}?login")

    url = str(await serving(wanted))
    found = await page(web_pages, url)
    assert (found["url"], found["loginRequired"], found["loginUrl"]) == (url, True, f"{url}?login")


async def test_a_login_form_without_any_text_is_not_a_page(
    web_pages: Pages, serving: Callable[..., Json]
) -> None:
    async def form(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<form><input type=password></form>", content_type="text/html")

    with pytest.raises(Reject, match="has no text: it is a login page"):
        await page(web_pages, await serving(form))
