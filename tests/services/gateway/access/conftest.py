"""A gateway that asks for keys, and keys of all kinds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from contracts.core.scopes import Scope
from contracts.domain import key
from contracts.domain.key import KEY

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

SECRET = "5" * 64


def bearer(text: str) -> dict[str, str]:
    """The header that sends a key or a token."""
    return {"Authorization": f"Bearer {text}"}


@dataclass
class Guarded:
    """A gateway with AUTH=keys."""

    api: Api
    texts: dict[str, str] = field(default_factory=dict)

    async def key(self, name: str, *scopes: Scope, expires_at: datetime | None = None) -> dict[str, str]:
        """The header of a new key that is in the log."""
        created = key.Created(
            name=name, scopes=scopes, secret_sha256=key.hashed(SECRET), expires_at=expires_at
        )
        await self.api.write(KEY, key.key_id(name), created)
        await self.api.gateway.keys_current()
        return self.header(name)

    async def revoked(self, name: str) -> dict[str, str]:
        """The header of a key that was revoked."""
        header = await self.key(name, Scope.ADMIN)
        await self.revoke(name)
        return header

    async def revoke(self, name: str) -> None:
        await self.api.write(KEY, key.key_id(name), key.Revoked())
        await self.api.gateway.keys_current()

    async def expired(self, name: str) -> dict[str, str]:
        """The header of a key that has expired."""
        return await self.key(name, Scope.ADMIN, expires_at=datetime.now(UTC) - timedelta(seconds=1))

    def header(self, name: str, secret: str = SECRET) -> dict[str, str]:
        return bearer(key.text_of(key.key_id(name), secret))


@pytest.fixture
async def guarded(start_gateway: StartGateway) -> Guarded:
    return Guarded(await start_gateway(auth="keys"))
