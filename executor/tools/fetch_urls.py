"""fetchURLs: the text of several pages, or an error for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from contracts.core.tool import Effect, Fill
from executor.tools.inputs import NOT_A_URL, ToolInput, is_http_url
from executor.tools.pages import Pages
from executor.tools.tool import CallContext, Tool

MAX_LENGTH = 10_000
"""Maximum characters of each page."""
AT_ONCE = 5
MAX_URLS = 100
"""Maximum number of distinct URLs in one call."""
TOO_MANY = f"Not fetched: a call fetches {MAX_URLS} pages at most; give the rest to another call"
NO_URLS = "urls: the list is empty. Give at least one URL; if earlier steps fill it, they have found none"
ALL_WITHIN_S = 110.0
"""Seconds after which unfinished pages are reported as failed; the others are returned."""
_URL_KEYS = ("url", "URL", "link", "href", "uri")


class FetchURLs(ToolInput):
    """The pages to fetch."""

    urls: list[str | dict[str, Any]] = Field(
        description="Addresses, or objects with one under url, link, href or uri, as webSearch returns"
    )


def fetch_urls(pages: Pages) -> Tool[FetchURLs]:
    """The tool fetchURLs."""

    async def run(request: FetchURLs, call: CallContext) -> Json:
        if not request.urls:
            raise Reject(NO_URLS)
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(url: str) -> Json:
            if not is_http_url(url):
                raise Reject(f"Not fetched: {NOT_A_URL}")
            async with gate:
                return await pages.fetch(url, MAX_LENGTH, call)

        urls = list(dict.fromkeys(url_in(item) for item in request.urls))
        beyond = [{"url": url, "error": TOO_MANY} for url in urls[MAX_URLS:]]
        urls = urls[:MAX_URLS]
        outcomes = await _settled([asyncio.create_task(one(url)) for url in urls])
        failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if failures and len(failures) == len(urls):
            raise _nothing_fetched(urls, failures)
        fetched = [
            {"url": url, "error": str(outcome)} if isinstance(outcome, Exception) else outcome
            for url, outcome in zip(urls, outcomes, strict=True)
        ]
        return [*fetched, *beyond]

    return Tool(
        name="fetchURLs",
        description=(
            "Fetch several web pages at once and return title and main text of each, or the error it gave. "
            "Use it after webSearch to read the pages found. "
            "loginRequired in a result: it is a login form instead of the page that was asked for."
        ),
        accepts=FetchURLs,
        effect=Effect.READ,
        run=run,
        filled_from_results={"urls": Fill.URLS},
        timeout_s=ALL_WITHIN_S + 10,
    )


def url_in(item: str | dict[str, Any]) -> str:
    """The URL in `item`. If there is no valid URL, the invalid text, or an empty text."""
    if isinstance(item, str):
        return item.strip()
    found = [value.strip() for key in _URL_KEYS if isinstance(value := item.get(key), str) and value.strip()]
    return next(filter(is_http_url, found), found[0] if found else "")


async def _settled(tasks: Sequence[asyncio.Task[Json]]) -> list[Json | Exception]:
    """The outcome of each task. Tasks that are not finished after ALL_WITHIN_S are cancelled."""
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=ALL_WITHIN_S)
    finally:
        for task in tasks:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
    return [_outcome(result) for result in done]


def _outcome(result: Json | BaseException) -> Json | Exception:
    match result:
        case asyncio.CancelledError():
            return Retry(f"Not read within {ALL_WITHIN_S:g} s")
        case Retry() | Reject():
            return result
        case BaseException():
            raise result
    return result


def _nothing_fetched(urls: Sequence[str], failures: Sequence[Exception]) -> Retry | Reject:
    reasons = "; ".join(
        f"{url or '(no url)'}: {failure}" for url, failure in zip(urls, failures, strict=True)
    )
    retries = [failure for failure in failures if isinstance(failure, Retry)]
    if not retries:
        return Reject(f"No page could be fetched: {reasons}")
    waits = [failure.after for failure in retries if failure.after]
    return Retry(f"No page could be fetched: {reasons}", after=min(waits, default=None))
