"""All keys, folded from the log and kept in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from contracts.core.commit import Recorded
from contracts.core.event import Event
from contracts.core.unread import Unread
from contracts.domain.key import InvalidKey, State, Status, UnknownKey, evolve, key_id
from contracts.domain.shared_budget import UNLIMITED, PeriodBudget


@dataclass(frozen=True, slots=True)
class Entry:
    """One key in `Keys`."""

    id: str
    state: State
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class KeysState:
    """The content of `Keys`."""

    entries: tuple[Entry, ...] = ()
    unread: tuple[Entry, ...] = ()
    """Keys as they were before an event that this version cannot read."""


class Keys:
    """All keys, folded from the log and kept in memory.

    A key with an event that this version cannot read is unknown: the event may have revoked it.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._unread: dict[str, Entry] = {}
        """Keys as they were before an event that this version cannot read."""

    def fold(self, recorded: Iterable[Recorded]) -> None:
        """Apply further commits of keys, in log order."""
        for one in recorded:
            for event in one.commit.events:
                self._apply(one.commit.aggregate_id, event, one.commit.time)

    @property
    def state(self) -> KeysState:
        """The content, to save it."""
        return KeysState(tuple(self._entries.values()), tuple(self._unread.values()))

    def restore(self, state: KeysState) -> None:
        """Replace the content by one that was saved."""
        self._entries = {one.id: one for one in state.entries}
        self._unread = {one.id: one for one in state.unread}

    def require(self, id_: str) -> Entry:
        """The key with this id. Raises UnknownKey if there is none."""
        entry = self._entries.get(id_)
        if entry is None:
            raise UnknownKey
        return entry

    def all(self) -> list[Entry]:
        """All keys by name, including revoked and expired ones."""
        return sorted(self._entries.values(), key=lambda entry: entry.state.name)

    def budget(self, name: str) -> PeriodBudget:
        """The budget of the key called `name`; without limits if there is no such key.

        A key with an event that this version cannot read keeps the budget that it had before.
        """
        id_ = key_id(name)
        entry = self._entries.get(id_) or self._unread.get(id_)
        return entry.state.budget if entry else UNLIMITED

    def refusal(self, name: str, now: datetime) -> str | None:
        """Why the key called `name` may start no more work; None if it may."""
        entry = self._entries.get(key_id(name))
        if entry is None:
            return f"the key {name} is unknown"
        if entry.state.status is not Status.ACTIVE:
            return f"the key {name} is revoked"
        return f"the key {name} has expired" if entry.state.has_expired(now) else None

    def holding(self, id_: str, secret_sha256: str, now: datetime) -> Entry:
        """The key with this id, if the secret with this hash is valid.

        Raises:
            InvalidKey: the key is unknown, revoked or expired, or the secret is another one.
        """
        entry = self._entries.get(id_)
        if entry is None or not entry.state.accepts(secret_sha256, now):
            raise InvalidKey("The key is unknown, or it was replaced by a new one")
        if entry.state.status is not Status.ACTIVE:
            raise InvalidKey(f"The key {entry.state.name} is revoked: ask for a new one")
        if entry.state.has_expired(now):
            raise InvalidKey(f"The key {entry.state.name} has expired: ask for a new one")
        return entry

    def _apply(self, id_: str, event: Event, time: datetime) -> None:
        before = self._entries.pop(id_, None)
        if isinstance(event, Unread):
            if before:
                self._unread[id_] = before
            return
        state = evolve(before.state if before else State(), event)
        self._entries[id_] = Entry(id_, state, before.created_at if before else time, time)
