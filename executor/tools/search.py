"""The interface of search backends for webSearch, and the default backend: ddgs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from contracts.core.outcome import Retry
from executor.tools.threads import SEARCHES

TIMEOUT_S = 10
"""Seconds to wait for each engine of ddgs."""
_NOTHING_FOUND = "No results found."


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result."""

    title: str
    url: str
    snippet: str


class SearchBackend(Protocol):
    """A search backend."""

    async def search(self, query: str, limit: int) -> list[Hit]:
        """At most `limit` hits, best first; an empty list if nothing was found.

        Raises:
            Retry: the engines did not answer.
        """


@dataclass(frozen=True, slots=True)
class Ddgs:
    """Public search engines, through the ddgs library."""

    engines: str = "auto"
    """Comma separated: `auto`, `duckduckgo`, `bing`, …"""
    proxy: str = ""

    async def search(self, query: str, limit: int) -> list[Hit]:
        """The hits of the first engines with results.

        Raises:
            Retry: there are no hits, and an engine failed or refused to answer.
        """
        return await SEARCHES.run(self._search, query, limit)

    def _search(self, query: str, limit: int) -> list[Hit]:
        from executor.tools.engines import DDGSException, Engines  # noqa: PLC0415  slow to import

        engines = Engines(proxy=self.proxy or None, timeout=TIMEOUT_S)
        try:
            found = engines.text(query, max_results=limit, backend=self.engines)
        except DDGSException as error:
            if engines.refusals:
                raise Retry(f"The search engines refused to answer: {', '.join(engines.refusals)}") from error
            if str(error) == _NOTHING_FOUND:
                return []
            raise Retry(f"The search engines failed: {error}") from error
        hits = (Hit(item.get("title", ""), item.get("href", ""), item.get("body", "")) for item in found)
        return [hit for hit in hits if hit.url]
