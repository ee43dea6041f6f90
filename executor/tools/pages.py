"""Fetches one page, for fetchPage and fetchURLs."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from aiohttp import ClientSession, ClientTimeout, CookieJar

from contracts.core.event import Json
from contracts.core.outcome import Reject
from contracts.core.text import clean_text
from executor.tools.documents import Document, read_document
from executor.tools.inputs import is_http_url
from executor.tools.parsers import Parsers
from executor.tools.tool import CallContext
from executor.tools.web import network_outcomes, raise_for_status, read_at_most, status_line

ANNOUNCED_AS = "fetchPage"
"""Tool name in progress messages, for both tools."""
TIMEOUT_S = 15.0
MAX_REDIRECTS = 5
MAX_BODY = 10 * 1024 * 1024
MAX_FRAMES = 10
"""Maximum number of frames that an error names."""
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; AsyncAgent/1.0)",
    "Accept": "text/html,application/xhtml+xml,application/pdf,text/*;q=0.9,application/json;q=0.9,*/*;q=0.5",
}


@dataclass(frozen=True, slots=True)
class Pages:
    """Web pages, fetched through `http` and read by `parsers`."""

    http: ClientSession
    parsers: Parsers

    async def fetch(self, url: str, max_length: int, call: CallContext) -> dict[str, Json]:
        """The page at `url`, its text cut to `max_length` characters.

        Raises:
            Retry: the network or the server failed.
            Reject: the page is blocked, not found, too large, or has no text.
        """
        await call.progress("progress", ANNOUNCED_AS, f"Fetching {url}")
        document, address = await self._read(url)
        length = len(document.text)
        await call.progress(
            "completed",
            ANNOUNCED_AS,
            f"Fetched {clean_text(document.title)} ({length} characters) from {url}",
        )
        return {
            "url": url,
            "title": document.title,
            "content": document.text[:max_length],
            "contentLength": length,
            "truncated": length > max_length,
            "contentType": document.content_type,
            **({"encoding": document.encoding} if document.encoding else {}),
            **({"loginRequired": True, "loginUrl": address} if document.is_login else {}),
        }

    async def _read(self, url: str) -> tuple[Document, str]:
        """The document at `url`, or at the URL of its refresh, and its URL. Only one refresh is followed."""
        async with self._visit() as visit:
            document, address = await self._document(visit, url)
            onward = urljoin(address, document.refresh) if document.refresh else address
            if onward != address and is_http_url(onward):
                document, address = await self._document(visit, onward)
        if not document.text:
            raise Reject(f"{url} has no text: {_why_empty(document, address)}")
        return document, address

    def _visit(self) -> ClientSession:
        """A session with its own cookies, which some redirects need, over the guarded connections."""
        return ClientSession(
            connector=self.http.connector, connector_owner=False, cookie_jar=CookieJar(unsafe=True)
        )

    async def _document(self, visit: ClientSession, url: str) -> tuple[Document, str]:
        """The document at `url`, and the URL after all redirects."""
        with network_outcomes(url, TIMEOUT_S):
            async with visit.get(
                url, headers=_HEADERS, timeout=ClientTimeout(total=TIMEOUT_S), max_redirects=MAX_REDIRECTS
            ) as response:
                raise_for_status(response)
                body, more = await read_at_most(response, MAX_BODY)
        if more:
            raise Reject(f"{url} is larger than {MAX_BODY // 1024 // 1024} MiB")
        if not body.strip():
            raise Reject(f"{url} is empty ({status_line(response)})")
        said = response.content_type if "Content-Type" in response.headers else ""
        return await self.parsers.run(read_document, body, said, response.charset), str(response.url)


def _why_empty(document: Document, address: str) -> str:
    if document.frames:
        shown = ", ".join(urljoin(address, frame) for frame in document.frames[:MAX_FRAMES])
        return f"it consists of frames; fetch them instead: {shown}"
    if document.is_login:
        return f"it is a login page ({address})"
    return _WITHOUT_TEXT.get(document.content_type, "it is empty")


_WITHOUT_TEXT = {
    "application/pdf": "it is a PDF of images, perhaps a scan",
    "text/html": "it may need JavaScript to show any",
    "application/xhtml+xml": "it may need JavaScript to show any",
}
