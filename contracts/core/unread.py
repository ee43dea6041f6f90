"""Events that this process cannot read, and who may pass over them.

A newer version of the system writes events that this one does not know, and the object store may have lost
a value of an event. Readers that show or count pass over such an event and go on. A decision must not: the
event might change it. So `Aggregate.fold` refuses, and those who decide nothing fold what `readable` leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.core.event import Event, Json


class Unread(Event):
    """An event as it is stored, of a type, a version or a content that this process cannot read."""

    type: str  # type: ignore[misc]  # here it is told by the message
    dataschema: str
    data: dict[str, Json]
    reason: str
    newer: bool
    """Whether a newer version of this service can read it; else a value of it is lost."""


class UnreadHistory(Exception):
    """The history has an event that this process cannot read, so it must not decide on it."""

    def __init__(self, event: Unread) -> None:
        remedy = "upgrade this service" if event.newer else "restore the object store `blobs` from a backup"
        super().__init__(f"an event {event.type} of the history cannot be read ({event.reason}): {remedy}")
        self.newer = event.newer
        """Whether an upgrade of this service helps."""


def readable(events: Iterable[Event]) -> Iterator[Event]:
    """Those of `events` that this process can read."""
    return (event for event in events if not isinstance(event, Unread))


def require_read(events: Iterable[Event]) -> Iterator[Event]:
    """All of `events`.

    Raises:
        UnreadHistory: one of them cannot be read; raised when the iteration comes to it.
    """
    for event in events:
        if isinstance(event, Unread):
            raise UnreadHistory(event)
        yield event
