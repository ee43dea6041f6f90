"""The table of handlers that convert events to changes of the views. Pure: no I/O.

Raise `contracts.views.VIEWS_VERSION` with any change here that alters rows already written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from contracts.core.commit import Commit, Recorded
from contracts.core.event import Event
from contracts.core.money import pico_usd
from contracts.core.spent import Charged
from projector.changes import Changes

E = TypeVar("E", bound=Event)


class EventMeta:
    """The metadata of an event: its aggregate, its position in the log, its time."""

    __slots__ = ("at", "commit", "id", "seq", "version")

    def __init__(self, recorded: Recorded, at: int) -> None:
        self.commit: Commit = recorded.commit
        self.id = recorded.commit.aggregate_id
        self.seq = recorded.seq
        self.version = recorded.commit.version
        """Position of the event in its aggregate."""
        self.at = at
        """Milliseconds since 1970."""


HandlerOf = Callable[[Changes, EventMeta, E], None]
Handler = HandlerOf[Any]


class Fold:
    """Handlers by event type. Events without a handler change nothing."""

    def __init__(self) -> None:
        self._handlers: dict[type[Event], Handler] = {}

    def on(self, event_type: type[E]) -> Callable[[HandlerOf[E]], HandlerOf[E]]:
        """Register the handler of one event type."""

        def register(handler: HandlerOf[E]) -> HandlerOf[E]:
            if event_type in self._handlers:
                raise ValueError(f"two handlers for {event_type.type}")
            self._handlers[event_type] = handler
            return handler

        return register

    def include(self, other: Fold) -> None:
        """Add the handlers of another table. If both have one for a type, both are called."""
        for event_type, handler in other._handlers.items():
            ours = self._handlers.get(event_type)
            self._handlers[event_type] = _both(ours, handler) if ours else handler

    def __call__(self, recorded: Iterable[Recorded]) -> Changes:
        """The changes that a batch of commits makes."""
        changes = Changes()
        for one in recorded:
            meta = EventMeta(one, milliseconds(one.commit.time))
            for event in one.commit.events:
                handler = self._handlers.get(type(event))
                if handler:
                    handler(changes, meta, event)
                meta.version += 1
        return changes


def _both(first: Handler, second: Handler) -> Handler:
    def both(changes: Changes, meta: EventMeta, event: Event) -> None:
        first(changes, meta, event)
        second(changes, meta, event)

    return both


def spent(event: Charged) -> dict[str, int | None]:
    """Amounts that an event adds to the token and cost columns of a row; None if unknown."""
    return {
        "prompt_tokens": event.usage.prompt_tokens if event.usage else None,
        "completion_tokens": event.usage.completion_tokens if event.usage else None,
        "cost_pico": pico_usd(event.cost_usd),
    }


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime."""
    return round(moment.timestamp() * 1000)
