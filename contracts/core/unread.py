"""Events that this process cannot read, and which code may skip them.

A process cannot read an event that a newer version of the software wrote, or whose value the object store
lost. Code that only displays or counts skips such an event with `readable`. Code that makes a decision must
not skip it, because the event might change the decision. Therefore `Aggregate.fold` raises UnreadHistory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.core.event import Event, Json


class Unread(Event):
    """A stored event that this process cannot read, because of its type, version or content."""

    type: str  # type: ignore[misc]  # read from the message
    dataschema: str
    data: dict[str, Json]
    reason: str
    newer: bool
    """True: a newer version of this service can read it. False: one of its values is lost."""


class UnreadHistory(Exception):
    """The history contains an event that this process cannot read, so it must not decide."""

    def __init__(self, event: Unread) -> None:
        remedy = "upgrade this service" if event.newer else "restore the object store `blobs` from a backup"
        super().__init__(f"an event {event.type} of the history cannot be read ({event.reason}): {remedy}")
        self.newer = event.newer
        """True: an upgrade of this service helps. False: a value is lost."""


def readable(events: Iterable[Event]) -> Iterator[Event]:
    """The events that this process can read; the others are skipped."""
    return (event for event in events if not isinstance(event, Unread))


def require_read(events: Iterable[Event]) -> Iterator[Event]:
    """Yield `events`, and refuse those that this process cannot read.

    Raises:
        UnreadHistory: an event cannot be read. The iteration raises it when it reaches that event.
    """
    for event in events:
        if isinstance(event, Unread):
            raise UnreadHistory(event)
        yield event
