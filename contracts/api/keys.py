"""Keys over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from contracts.api.fields import Body, Omissible, Row, Timestamp, epoch_ms
from contracts.api.numbers import INTEGRAL
from contracts.core.scopes import Scope
from contracts.domain import key
from contracts.domain.key import NAME
from contracts.domain.keys import Entry

LONGEST_OVERLAP_S = 30 * 86_400
"""Maximum seconds for which a replaced key stays valid."""


def _no_number(value: object) -> object:
    if isinstance(value, int | float):
        raise PydanticCustomError(
            "datetime_type", "Input should be a date and time with a zone, such as 2027-01-31T12:00:00Z"
        )
    return value


Expiry = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_no_number)]
"""ISO 8601 with a time zone."""


class KeyCreate(Body):
    """A new key."""

    name: Annotated[str, Field(pattern=NAME)]
    """The name of whoever uses the key. Commits that result from its requests have the actor `key:<name>`."""
    scopes: Annotated[list[Annotated[Scope, Field(strict=False)]], Field(min_length=1, max_length=len(Scope))]
    """What the key may do."""
    expires_at: Omissible[Expiry] = None
    """When the key expires. Default: never."""

    def event(self, secret: str) -> key.Created:
        """The event that creates the key with this secret."""
        return key.Created(
            name=self.name,
            scopes=tuple(scope for scope in Scope if scope in self.scopes),
            secret_sha256=key.hashed(secret),
            expires_at=self.expires_at,
        )


class KeyRotate(Body):
    """How to replace the secret of a key."""

    overlap_s: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP_S), INTEGRAL] = 0
    """Seconds for which the previous secret stays valid, so that clients can change without an outage."""
    expires_at: Omissible[Expiry] = None
    """When the key expires. Default: as before."""

    def event(self, secret: str, now: datetime) -> key.Rotated:
        """The event that gives a key this secret."""
        return key.Rotated(
            secret_sha256=key.hashed(secret),
            previous_until=now + timedelta(seconds=self.overlap_s) if self.overlap_s else None,
            expires_at=self.expires_at,
        )


class KeyRow(Row):
    """One key, without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    status: Literal["active", "expired", "revoked"]
    created_at: Timestamp
    changed_at: Timestamp
    """When the key was created, rotated or revoked."""
    expires_at: Timestamp | None
    previous_until: Timestamp | None
    """Until when the secret before the last rotation stays valid."""

    @classmethod
    def of(cls, entry: Entry, now: datetime, **further: str) -> Self:
        """The row of a key as of `now`."""
        state = entry.state
        expired = state.status is key.Status.ACTIVE and state.has_expired(now)
        return cls(
            id=entry.id,
            name=state.name,
            scopes=list(state.scopes),
            status="expired" if expired else state.status.value,
            created_at=epoch_ms(entry.created_at),
            changed_at=epoch_ms(entry.changed_at),
            expires_at=epoch_ms(state.expires_at) if state.expires_at else None,
            previous_until=epoch_ms(state.previous.until) if state.previous else None,
            **further,
        )


class KeyIssued(KeyRow):
    """A key that was created or rotated, with its text."""

    key: str
    """The text of the key, to be sent as `Authorization: Bearer <key>`. It is not shown again."""
