"""fetchURLs against a real HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from executor.tools import fetch_urls as batches
from executor.tools.fetch_urls import fetch_urls
from executor.tools.pages import Pages
from executor.tools.tool import CallContext

CALL = CallContext("run/001")


async def urls(web_pages: Pages, *items: Json) -> Json:
    return await fetch_urls(web_pages).invoke({"urls": list(items)}, CALL)


async def test_watchers_see_a_page_begun_and_finished(web_pages: Pages, server: TestServer) -> None:
    seen: list[tuple[str, str, str]] = []

    async def progress(kind: str, tool: str, message: str) -> None:
        seen.append((kind, tool, message))

    url = str(server.make_url("/a"))
    await fetch_urls(web_pages).invoke({"urls": [url]}, CallContext("run/001", progress))
    assert seen == [
        ("progress", "fetchPage", f"Fetching {url}"),
        ("completed", "fetchPage", f"Fetched Untitled (10 characters) from {url}"),
    ]


async def test_pages_come_in_the_order_asked_each_once(web_pages: Pages, server: TestServer) -> None:
    first, second = str(server.make_url("/1")), str(server.make_url("/2"))
    found = await urls(web_pages, first, {"title": "x", "url": second}, f" {first}", {"href": first})
    assert [(item["url"], item["content"]) for item in found] == [
        (first, "text of /1"),
        (second, "text of /2"),
    ]


@pytest.mark.parametrize("key", ["url", "URL", "link", "href", "uri"])
async def test_an_object_holds_its_url_under_one_of_five_keys(
    web_pages: Pages, server: TestServer, key: str
) -> None:
    found = await urls(web_pages, {"url": "not one", key: str(server.make_url("/a"))})
    assert found[0]["content"] == "text of /a"


async def test_a_page_that_fails_does_not_spoil_the_others(web_pages: Pages, server: TestServer) -> None:
    gone, busy, good = (str(server.make_url(path)) for path in ("/say/404", "/say/503", "/a"))
    found = await urls(web_pages, gone, "no url", {"title": "x"}, "http://169.254.169.254/", busy, good)
    assert found[:5] == [
        {"url": gone, "error": "HTTP 404: Not Found"},
        {"url": "no url", "error": "Not fetched: it must be an absolute http:// or https:// URL"},
        {"url": "", "error": "Not fetched: it must be an absolute http:// or https:// URL"},
        {
            "url": "http://169.254.169.254/",
            "error": "Blocked address 169.254.169.254: link-local, cloud metadata. "
            "Set ALLOWED_PRIVATE_HOSTS to allow it",
        },
        {"url": busy, "error": "HTTP 503: Service Unavailable"},
    ]
    assert found[5]["content"] == "text of /a"


async def test_pages_that_all_fail_permanently_are_a_rejection(web_pages: Pages, server: TestServer) -> None:
    with pytest.raises(Reject, match=r"No page could be fetched: .*404.*; nonsense: Not fetched"):
        await urls(web_pages, str(server.make_url("/say/404")), "nonsense")


async def test_failing_pages_are_retried_if_any_may_work_later(web_pages: Pages, server: TestServer) -> None:
    busy = str(server.make_url("/say/429").with_query({"Retry-After": "7"}))
    with pytest.raises(Retry, match="No page could be fetched") as later:
        await urls(web_pages, busy, "nonsense")
    assert later.value.after == 7


async def test_an_empty_list_of_urls_is_rejected(web_pages: Pages) -> None:
    with pytest.raises(Reject, match="urls: the list is empty"):
        await urls(web_pages)


async def test_pages_are_fetched_together_but_not_all_at_once(
    web_pages: Pages, serving: Callable[..., Json]
) -> None:
    together = 0
    most = 0
    enough = asyncio.Event()

    async def counting(request: web.Request) -> web.StreamResponse:
        nonlocal together, most
        together += 1
        most = max(most, together)
        if together == batches.AT_ONCE:
            enough.set()
        await enough.wait()
        together -= 1
        return web.Response(text="x")

    url = await serving(counting)
    found = await urls(web_pages, *(f"{url}{n}" for n in range(3 * batches.AT_ONCE)))
    assert len(found) == 3 * batches.AT_ONCE
    assert most == batches.AT_ONCE


async def test_pages_not_read_in_time_are_reported_and_the_others_returned(
    web_pages: Pages, serving: Callable[..., Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        if request.path == "/slow":
            await asyncio.Event().wait()
        return web.Response(text="x")

    monkeypatch.setattr(batches, "ALL_WITHIN_S", 1.0)
    url = await serving(slow)
    found = await urls(web_pages, f"{url}slow", f"{url}fast")
    assert found[0] == {"url": f"{url}slow", "error": "Not read within 1 s"}
    assert found[1]["content"] == "x"


async def test_a_call_fetches_so_many_pages_and_says_which_it_left_out(
    web_pages: Pages, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_URLS", 2)
    wanted = [str(server.make_url(f"/{n}")) for n in range(4)]
    found = await urls(web_pages, *wanted)
    assert [item["url"] for item in found] == wanted
    assert ["error" in item for item in found] == [False, False, True, True]
    assert "Not fetched" in found[2]["error"]
