"""The description of an aggregate: its name, its events, how they fold into a state, and the state's name."""

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
    """The rules of an aggregate forbid the decision.

    The message says what to do instead. Its default is the docstring of the error's class.
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or getdoc(type(self)))


LONGEST_SNAPSHOT = 16 * 1024
"""Default of the maximum bytes of a snapshot. A commit with a larger state has no snapshot."""


@dataclass(frozen=True)
class Snapshots(Generic[S]):
    """Stores the folded state in each commit, so that a reader needs only the newest commit."""

    version: int
    """Raise it when the meaning of a field of the state changes, or when `evolve` changes. A snapshot of
    another version is ignored, and the events are folded instead."""
    state: type[S]
    longest: int = LONGEST_SNAPSHOT
    """Maximum bytes of a snapshot."""

    @cached_property
    def _adapter(self) -> TypeAdapter[S]:
        return TypeAdapter(self.state)

    def taken(self, state: S) -> str | None:
        """The snapshot of `state`: version and JSON. None if the JSON is longer than `longest`."""
        text = self._adapter.dump_json(state)
        return f"{self.version}:{text.decode()}" if len(text) <= self.longest else None

    def restored(self, snapshot: str | None) -> S | None:
        """The state in a snapshot that `taken` made. None if it is missing, invalid or of another version."""
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
    """Returns the name of a state: the last token of the commit's subject."""
    events: tuple[type[Event], ...]
    snapshots: Snapshots[S] | None = None
    """Set for aggregates that change often over a long time. None: commits have no snapshot."""

    def fold(self, events: Iterable[Event], state: S | None = None) -> S:
        """Apply `events` to `state`, by default to the initial state, and return the new state.

        Raises:
            UnreadHistory: this process cannot read an event, so a decision from the state could be wrong.
                Code that only shows the state folds `readable(events)`, which skips such events.
        """
        start = self.initial if state is None else state
        return reduce(self.evolve, require_read(events), start)
