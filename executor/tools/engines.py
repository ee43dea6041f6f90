"""The search engines of ddgs, with a record of refusals: ddgs reports a refusal as "nothing found"."""

from __future__ import annotations

from typing import Any

from ddgs.ddgs import DDGS
from ddgs.exceptions import DDGSException

__all__ = ["DDGSException", "Engines"]

_REFUSALS = frozenset({202, 403, 429})
"""HTTP statuses with which engines refuse robots; duckduckgo uses 202."""


class Engines(DDGS):
    """The engines for one search."""

    def __init__(self, *, proxy: str | None, timeout: int) -> None:
        super().__init__(proxy=proxy, timeout=timeout)
        self.refusals: list[str] = []
        """Engines that refused to answer, each with its HTTP status."""

    def _get_engines(self, category: str, backend: str) -> list[Any]:
        engines: list[Any] = super()._get_engines(category, backend)
        for engine in engines:
            if not isinstance(engine.http_client, _RecordingClient):
                engine.http_client = _RecordingClient(engine.http_client, engine.name, self.refusals)
        return engines


class _RecordingClient:
    """An HTTP client of ddgs that records refusals."""

    def __init__(self, client: Any, engine: str, refusals: list[str]) -> None:
        self._client = client
        self._engine = engine
        self._refusals = refusals

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def request(self, *args: Any, **kwargs: Any) -> Any:
        """The answer to a request."""
        response = self._client.request(*args, **kwargs)
        if response.status_code in _REFUSALS or response.status_code >= 500:
            self._refusals.append(f"{self._engine} (HTTP {response.status_code})")
        return response

    def get(self, url: str, *args: Any, **kwargs: Any) -> Any:
        """The answer to a GET."""
        return self.request("GET", url, *args, **kwargs)

    def post(self, url: str, *args: Any, **kwargs: Any) -> Any:
        """The answer to a POST."""
        return self.request("POST", url, *args, **kwargs)
