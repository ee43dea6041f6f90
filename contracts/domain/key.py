"""A key: a secret with a name, with which a client of the API proves who it is.

The gateway writes its events, and `async-agent keys` where no gateway with a key exists. A name has one key:
the id is derived from the name. The text of a key is `aa_<id>_<secret>`. The log has only the SHA-256 of
the secret; a secret has 256 random bits, so that its hash does not need to be slow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from typing import ClassVar

from contracts.core.aggregate import Aggregate, DomainError
from contracts.core.event import Event, Json
from contracts.core.ids import derived_id
from contracts.core.scopes import Scope
from contracts.domain.shared_budget import UNLIMITED, PeriodBudget

NAME = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
"""Pattern of the name of a key."""
SECRET_BYTES = 32
"""Length of a secret, which is written in hexadecimal."""
PREFIX = "aa_"
_TEXT = re.compile(r"aa_(?P<id>key_[0-9a-z]{26})_(?P<secret>[0-9a-f]{64})")

# ── events ──────────────────────────────────────────────────────────────────────────────────────────────


class Created(Event):
    """The key was created, or created again after it was revoked."""

    type: ClassVar[str] = "key.created"
    name: str
    scopes: tuple[Scope, ...]
    secret_sha256: str
    """SHA-256 of the secret, hexadecimal."""
    expires_at: datetime | None = None


class Rotated(Event):
    """The key has a new secret."""

    type: ClassVar[str] = "key.rotated"
    secret_sha256: str
    previous_until: datetime | None = None
    """Until when the previous secret stays valid. Null: it is not valid any more."""
    expires_at: datetime | None = None
    """When the key expires. It replaces the earlier time."""


class Revoked(Event):
    """The key is not valid any more."""

    type: ClassVar[str] = "key.revoked"


class BudgetSet(Event):
    """The budget of the key was set: what the models may cost that it pays for."""

    type: ClassVar[str] = "key.budget_set"
    budget: PeriodBudget
    """Replaces the earlier budget."""


# ── state ───────────────────────────────────────────────────────────────────────────────────────────────


class Status(StrEnum):
    """Last token of the subject. An ACTIVE key may have expired."""

    ABSENT = "absent"
    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Previous:
    """The secret before the last rotation."""

    secret_sha256: str
    until: datetime


@dataclass(frozen=True, slots=True)
class State:
    """The current state of a key."""

    status: Status = Status.ABSENT
    name: str = ""
    scopes: tuple[Scope, ...] = ()
    secret_sha256: str = ""
    previous: Previous | None = None
    expires_at: datetime | None = None
    budget: PeriodBudget = UNLIMITED

    def has_expired(self, now: datetime) -> bool:
        """Whether the key has expired."""
        return self.expires_at is not None and self.expires_at <= now

    def accepts(self, secret_sha256: str, now: datetime) -> bool:
        """Whether the hash is that of the secret, or of the previous secret while it is valid.

        The comparison takes the same time wherever the hashes differ.
        """
        if compare_digest(self.secret_sha256, secret_sha256):
            return True
        previous = self.previous
        return (
            previous is not None
            and now < previous.until
            and compare_digest(previous.secret_sha256, secret_sha256)
        )


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    match event:
        case Created():
            return State(
                Status.ACTIVE, event.name, event.scopes, event.secret_sha256, expires_at=event.expires_at
            )
        case Rotated(secret_sha256=secret, previous_until=until, expires_at=expires_at):
            previous = Previous(state.secret_sha256, until) if until else None
            return replace(state, secret_sha256=secret, previous=previous, expires_at=expires_at)
        case Revoked():
            return replace(state, status=Status.REVOKED, previous=None)
        case BudgetSet():
            return replace(state, budget=event.budget)
    return state


KEY = Aggregate(
    "key", State(), evolve, lambda state: state.status.value, (Created, Rotated, Revoked, BudgetSet)
)


def key_id(name: str) -> str:
    """The id of the key called `name`."""
    return derived_id("key_", name)


def text_of(id_: str, secret: str) -> str:
    """The text of a key, which its client sends."""
    return f"{PREFIX}{id_}_{secret}"


def hashed(secret: str) -> str:
    """SHA-256 of a secret, hexadecimal."""
    return sha256(secret.encode()).hexdigest()


# ── decisions ───────────────────────────────────────────────────────────────────────────────────────────


class UnknownKey(DomainError):
    """Key not found"""


class KeyExists(DomainError):
    """A key with this name exists: choose another name, rotate that key, or revoke it first."""


class ExpiresInPast(DomainError):
    """The key would have expired already: set `expiresAt` to a time in the future."""


class KeyRevoked(DomainError):
    """The key is revoked: create it again."""


def create(state: State, wanted: Created, now: datetime, budget: PeriodBudget = UNLIMITED) -> list[Event]:
    """Create a key with a budget, possibly again after it was revoked.

    Raises:
        KeyExists: a key with this name is not revoked.
        ExpiresInPast: it would expire before `now`.
    """
    if state.status is Status.ACTIVE:
        raise KeyExists
    _require_future(wanted.expires_at, now)
    return [wanted, BudgetSet(budget=budget)] if budget.is_set else [wanted]


def rotate(state: State, wanted: Rotated, now: datetime) -> list[Event]:
    """Replace the secret. Without `expires_at` the key expires when it did before.

    Raises:
        UnknownKey: it was never created.
        KeyRevoked: it is revoked.
        ExpiresInPast: it would have expired before `now`.
    """
    _require_active(state)
    rotated = wanted if wanted.expires_at else wanted.model_copy(update={"expires_at": state.expires_at})
    _require_future(rotated.expires_at, now)
    return [rotated]


def set_budget(state: State, changes: Mapping[str, Json]) -> list[Event]:
    """Change the budget of a key; None removes a limit. Returns no events if it stays the same.

    Raises:
        UnknownKey: it was never created.
        KeyRevoked: it is revoked.
    """
    _require_active(state)
    budget = PeriodBudget.model_validate({**state.budget.model_dump(), **changes})
    return [] if budget == state.budget else [BudgetSet(budget=budget)]


def revoke(state: State) -> list[Event]:
    """Revoke a key. Returns no events if it is revoked.

    Raises:
        UnknownKey: it was never created.
    """
    require_known(state)
    return [] if state.status is Status.REVOKED else [Revoked()]


def require_known(state: State) -> None:
    """Raises UnknownKey if the key was never created."""
    if state.status is Status.ABSENT:
        raise UnknownKey


def _require_active(state: State) -> None:
    require_known(state)
    if state.status is Status.REVOKED:
        raise KeyRevoked


def _require_future(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise ExpiresInPast


# ── texts of keys ───────────────────────────────────────────────────────────────────────────────────────


class InvalidKey(DomainError):
    """The key is not valid. The message says why, and never more than its holder may know."""


def parts_of(text: str) -> tuple[str, str]:
    """The id of a key and the hash of its secret, from its text.

    Raises:
        InvalidKey: the text has another form.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise InvalidKey(f"A key has the form {PREFIX}<id>_<secret>: send all of it, as it was printed")
    return found["id"], hashed(found["secret"])
