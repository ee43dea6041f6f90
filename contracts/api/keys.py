"""Keys over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from contracts.api.fields import Body, Omissible, Row, Timestamp, epoch_ms
from contracts.api.numbers import INTEGRAL
from contracts.core.event import Json
from contracts.core.scopes import Scope
from contracts.domain import key
from contracts.domain.budget import Usd
from contracts.domain.key import NAME
from contracts.domain.keys import Entry
from contracts.domain.shared_budget import PeriodBudget

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
    budget_usd_per_day: Omissible[Usd] = None
    """US dollars for models per day, in UTC, in work that the key asks for. Default: no limit."""
    budget_usd_per_month: Omissible[Usd] = None
    """US dollars for models per calendar month, in UTC. Default: no limit."""

    @property
    def budget(self) -> PeriodBudget:
        """The budget of the key."""
        return PeriodBudget(usd_per_day=self.budget_usd_per_day, usd_per_month=self.budget_usd_per_month)

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


class KeyPatch(Body):
    """Changes of a key. Omitted limits stay unchanged; null removes a limit."""

    budget_usd_per_day: Usd | None = None
    """US dollars for models per day, in UTC, in work that the key asks for."""
    budget_usd_per_month: Usd | None = None
    """US dollars for models per calendar month, in UTC."""

    @model_validator(mode="after")
    def _changes_something(self) -> KeyPatch:
        if not self.model_fields_set:
            raise ValueError("give at least one limit: budgetUsdPerDay, budgetUsdPerMonth")
        return self

    @property
    def changes(self) -> dict[str, Json]:
        """The given limits by the name of the field of PeriodBudget; None removes one."""
        return {name.removeprefix("budget_"): getattr(self, name) for name in self.model_fields_set}


class KeyRow(Row):
    """One key, without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    status: Literal["active", "expired", "revoked"]
    created_at: Timestamp
    changed_at: Timestamp
    """When the key was created, changed, rotated or revoked."""
    expires_at: Timestamp | None
    previous_until: Timestamp | None
    """Until when the secret before the last rotation stays valid."""
    budget_usd_per_day: str | None
    """US dollars for models per day, in UTC. Null: not limited."""
    budget_usd_per_month: str | None
    """US dollars for models per calendar month, in UTC. Null: not limited."""

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
            budget_usd_per_day=state.budget.usd_per_day,
            budget_usd_per_month=state.budget.usd_per_month,
            **further,
        )


class KeyIssued(KeyRow):
    """A key that was created or rotated, with its text."""

    key: str
    """The text of the key, to be sent as `Authorization: Bearer <key>`. It is not shown again."""
