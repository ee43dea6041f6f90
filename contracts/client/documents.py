"""What a system says of itself: the documents of its API and of its log."""

from __future__ import annotations

from contracts.client.http import Http
from contracts.core.event import Json


class Documents:
    """What can be read about a system."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def openapi(self) -> dict[str, Json]:
        """The HTTP API, as OpenAPI 3.1."""
        return await self._http.get(dict[str, Json], "/openapi.json")

    async def asyncapi(self) -> dict[str, Json]:
        """The subjects and events of the log, as AsyncAPI 3."""
        return await self._http.get(dict[str, Json], "/asyncapi.json")

    async def reference(self) -> str:
        """The HTTP API as a page to read."""
        return (await self._http.content("/docs")).body.decode()
