"""An aggregate as the runtime sees it: how its events fold into a state, and what that state is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from inspect import getdoc
from typing import Any, Generic, TypeVar

from contracts.core.event import Event

S = TypeVar("S")


class DomainError(Exception):
    """A decision that the rules of an aggregate forbid.

    The message says what to do instead; without one it is the docstring of the error's class.
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or getdoc(type(self)))


@dataclass(frozen=True)
class Aggregate(Generic[S]):
    """Name, events and fold of one kind of aggregate. Pure: no clock, no I/O, no randomness."""

    name: str
    initial: S
    evolve: Callable[[S, Any], S]
    status: Callable[[S], str]
    """The state's name, last token of the subject."""
    events: tuple[type[Event], ...]

    def fold(self, events: Iterable[Event], state: S | None = None) -> S:
        """The state after `events`, from `state` or from the beginning."""
        return reduce(self.evolve, events, self.initial if state is None else state)
