"""Keys of the API. They need a key with the scope `admin`."""

from __future__ import annotations

from contracts.api.keys import KeyCreate, KeyIssued, KeyPatch, KeyRotate, KeyRow
from contracts.client.http import Http, path

KEYS = "keys"


class Keys:
    """Requests about keys."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(self) -> list[KeyRow]:
        """List all keys by name, including revoked and expired ones."""
        return await self._http.get(list[KeyRow], path(KEYS))

    async def get(self, key_id: str) -> KeyRow:
        """Get one key."""
        return await self._http.get(KeyRow, path(KEYS, key_id))

    async def create(self, wanted: KeyCreate) -> KeyIssued:
        """Create a key. Its text is only in this answer."""
        return await self._http.send(KeyIssued, "POST", path(KEYS), wanted)

    async def update(self, key_id: str, changes: KeyPatch) -> KeyRow:
        """Change the budget of a key."""
        return await self._http.send(KeyRow, "PATCH", path(KEYS, key_id), changes)

    async def rotate(self, key_id: str, wanted: KeyRotate) -> KeyIssued:
        """Replace the secret of a key. Its text is only in this answer."""
        return await self._http.send(KeyIssued, "POST", path(KEYS, key_id, "rotate"), wanted)

    async def revoke(self, key_id: str) -> None:
        """Revoke a key. Requests with it are refused at once, and its streams end."""
        await self._http.call("DELETE", path(KEYS, key_id))
