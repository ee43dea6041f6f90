"""The documents of the API and of the log."""

from __future__ import annotations

from contracts.client.http import Http
from contracts.core.event import Json


class Documents:
    """Requests for documents."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def openapi(self) -> dict[str, Json]:
        """Get the OpenAPI 3.1 document."""
        return await self._http.get(dict[str, Json], "/openapi.json")

    async def asyncapi(self) -> dict[str, Json]:
        """Get the AsyncAPI 3 document."""
        return await self._http.get(dict[str, Json], "/asyncapi.json")

    async def reference(self) -> str:
        """Get the API reference as HTML."""
        return (await self._http.content("/docs")).body.decode()

    async def event_schema(self, event_type: str, version: int = 1) -> dict[str, Json]:
        """Get the JSON Schema of the data of events of a type."""
        return await self._http.get(dict[str, Json], f"/schemas/{event_type}/{version}")
