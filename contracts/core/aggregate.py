"""An aggregate as the runtime sees it: how its events fold into a state, and what that state is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, reduce
from inspect import getdoc
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from contracts.core.event import Event
from contracts.core.unread import require_read

S = TypeVar("S")


class DomainError(Exception):
    """A decision that the rules of an aggregate forbid.

    The message says what to do instead; without one it is the docstring of the error's class.
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or getdoc(type(self)))


LONGEST_SNAPSHOT = 16 * 1024
"""Bytes. A commit of a larger state carries no snapshot."""


@dataclass(frozen=True)
class Snapshots(Generic[S]):
    """How the folded state travels in each commit, so that the newest commit is all that has to be read."""

    version: int
    """Raise it when a field of the state, or what `evolve` makes of an event, changes its meaning: a snapshot
    of another version is not used, and the events are folded instead."""
    state: type[S]

    @cached_property
    def _adapter(self) -> TypeAdapter[S]:
        return TypeAdapter(self.state)

    def taken(self, state: S) -> str | None:
        """The state as JSON text; None when that is longer than LONGEST_SNAPSHOT."""
        text = self._adapter.dump_json(state)
        return f"{self.version}:{text.decode()}" if len(text) <= LONGEST_SNAPSHOT else None

    def restored(self, snapshot: str | None) -> S | None:
        """The state that `taken` was given; None for another version's snapshot."""
        version, _, text = (snapshot or "").partition(":")
        if version != str(self.version):
            return None
        try:
            return self._adapter.validate_json(text)
        except ValidationError:
            return None


@dataclass(frozen=True)
class Aggregate(Generic[S]):
    """Name, events and fold of one kind of aggregate. Pure: no clock, no I/O, no randomness."""

    name: str
    initial: S
    evolve: Callable[[S, Any], S]
    status: Callable[[S], str]
    """The state's name, last token of the subject."""
    events: tuple[type[Event], ...]
    snapshots: Snapshots[S] | None = None
    """For aggregates that are changed again and again over a long time."""

    def fold(self, events: Iterable[Event], state: S | None = None) -> S:
        """The state after `events`, from `state` or from the beginning.

        Raises:
            UnreadHistory: one of them cannot be read. Where nothing is decided, fold `readable(events)`.
        """
        return reduce(self.evolve, require_read(events), self.initial if state is None else state)
