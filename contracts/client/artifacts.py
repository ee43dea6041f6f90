"""Artifacts: files written by steps."""

from __future__ import annotations

from contracts.client.errors import InvalidAnswer
from contracts.client.http import Content, Http, path

ARTIFACTS = "artifacts"


class Artifacts:
    """Requests about artifacts. Names include folders, as in `a/b.md`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(self, *, recursive: bool = False) -> list[str]:
        """List the names in alphabetical order. `recursive` includes the files in sub-folders."""
        return await self._http.get(list[str], path(ARTIFACTS), recursive=recursive)

    async def get(self, name: str) -> bytes:
        """Get the bytes of an artifact."""
        return (await self.content(name)).body

    async def text(self, name: str) -> str:
        """Get a text artifact.

        Raises:
            InvalidAnswer: the artifact is not text.
        """
        try:
            return (await self.get(name)).decode()
        except UnicodeDecodeError as error:
            raise InvalidAnswer(f"{name} is not text: {error.reason} at byte {error.start}") from error

    async def content(self, name: str) -> Content:
        """Get an artifact with its media type. All text formats have the type text/plain."""
        return await self._http.content(path(ARTIFACTS, name))
