"""Fetching one page: what fetchPage and fetchURLs share."""

from __future__ import annotations

import asyncio

from aiohttp import ClientSession, ClientTimeout

from contracts.core.event import Json
from contracts.core.outcome import Reject
from contracts.core.text import clean_text
from executor.tools.documents import read_document
from executor.tools.tool import CallContext
from executor.tools.web import network_outcomes, raise_for_status, read_at_most

ANNOUNCED_AS = "fetchPage"
"""Whatever tool fetches, watchers see pages fetched."""
TIMEOUT_S = 15.0
MAX_REDIRECTS = 5
MAX_BODY = 10 * 1024 * 1024
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; AsyncAgent/1.0)",
    "Accept": "text/html,application/xhtml+xml,application/pdf,text/*;q=0.9,application/json;q=0.9,*/*;q=0.5",
}


async def fetch(http: ClientSession, url: str, max_length: int, call: CallContext) -> dict[str, Json]:
    """The page at `url`, its text cut to `max_length` characters.

    Raises:
        Retry: the network or the server failed.
        Reject: blocked, not there, too large, or nothing with text in it.
    """
    await call.progress("progress", ANNOUNCED_AS, f"Fetching {url}")
    body, content_type, charset = await _download(http, url)
    document = await asyncio.to_thread(read_document, body, content_type, charset)
    length = len(document.text)
    await call.progress(
        "completed", ANNOUNCED_AS, f"Fetched {clean_text(document.title)} ({length} characters) from {url}"
    )
    return {
        "url": url,
        "title": document.title,
        "content": document.text[:max_length],
        "contentLength": length,
        "truncated": length > max_length,
        "contentType": content_type,
    }


async def _download(http: ClientSession, url: str) -> tuple[bytes, str, str | None]:
    with network_outcomes(url, TIMEOUT_S):
        async with http.get(
            url, headers=_HEADERS, timeout=ClientTimeout(total=TIMEOUT_S), max_redirects=MAX_REDIRECTS
        ) as response:
            raise_for_status(response)
            body, more = await read_at_most(response, MAX_BODY)
            if more:
                raise Reject(f"{url} is larger than {MAX_BODY // 1024 // 1024} MiB")
            return body, response.content_type, response.charset
