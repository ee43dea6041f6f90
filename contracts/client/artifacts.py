"""Artifacts: the files that steps have written."""

from __future__ import annotations

from contracts.client.errors import Misunderstood
from contracts.client.http import Content, Http, path

ARTIFACTS = "artifacts"


class Artifacts:
    """What can be asked about artifacts. Their names have the folders that they are in, as `a/b.md`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(self, *, recursive: bool = False) -> list[str]:
        """Names of those in no folder, or of all, in order."""
        return await self._http.get(list[str], path(ARTIFACTS), recursive=recursive)

    async def get(self, name: str) -> bytes:
        """One, byte for byte."""
        return (await self.content(name)).body

    async def text(self, name: str) -> str:
        """One that is text.

        Raises:
            Misunderstood: it is not.
        """
        try:
            return (await self.get(name)).decode()
        except UnicodeDecodeError as error:
            raise Misunderstood(f"{name} is not text: {error.reason} at byte {error.start}") from error

    async def content(self, name: str) -> Content:
        """One with its media type, which is text/plain for text of every kind."""
        return await self._http.content(path(ARTIFACTS, name))
