"""The commit: all events of one decision, one message in the log (see `contracts.core.codec`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from contracts.core.event import Event
from contracts.core.unread import require_read


class Place(NamedTuple):
    """The position of a commit among the commits of its aggregate, so that a reader knows which to read."""

    first: int
    """Stream sequence of the first commit of the aggregate; 0 in the first commit itself."""
    number: int
    """1 for the first commit of the aggregate, 2 for the next one, and so on."""


@dataclass(slots=True)
class Commit:
    """All events of one decision about one aggregate. Do not change it.

    It is not frozen, because a frozen dataclass takes four times as long to create, and every process creates
    one for each message of the log.
    """

    id: str
    """Set before the first attempt to append. JetStream uses it to detect duplicates."""
    aggregate: str
    aggregate_id: str
    state: str
    """Name of the aggregate's state after this commit."""
    version: int
    """Position of the first event in the aggregate. The first event of an aggregate has position 1."""
    time: datetime
    source: str
    """`/<service>/<instance>`."""
    events: tuple[Event, ...]
    correlation_id: str
    causation_id: str | None = None
    actor: str | None = None
    """Who asked for the commit, see contracts.core.actors; None: an older version wrote the commit."""
    traceparent: str | None = None
    snapshot: str | None = field(default=None, compare=False)
    """The aggregate's state after this commit, in the format of `aggregate.Snapshots`; None: no snapshot."""
    began: datetime | None = field(default=None, compare=False)
    """Time of the aggregate's first commit. Stored only with a snapshot."""
    place: Place | None = field(default=None, compare=False)
    """None if unknown: the writer did not store it, or the reader did not read it."""

    @property
    def last_version(self) -> int:
        """Position of the last event in the aggregate."""
        return self.version + len(self.events) - 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """A commit and its sequence in the log."""

    seq: int
    """The stream sequence. All readers use it as their cursor."""
    commit: Commit
    payload: bytes = field(default=b"", repr=False, compare=False)
    """The stored message; empty if the commit was not read from a log."""

    @classmethod
    def nothing(cls, seq: int, payload: bytes) -> Recorded:
        """An empty commit without events, for a message that is not a commit. Readers skip it."""
        return cls(seq, _NOTHING, payload)

    @property
    def digest(self) -> str:
        """SHA-256 of the message, hexadecimal. Identifies the message in the log."""
        return sha256(self.payload).hexdigest()


_NOTHING = Commit(
    id="",
    aggregate="",
    aggregate_id="",
    state="",
    version=0,
    time=datetime.fromtimestamp(0, UTC),
    source="",
    events=(),
    correlation_id="",
)


def all_events(commits: Iterable[Commit]) -> list[Event]:
    """The events of `commits` in order.

    Raises:
        UnreadHistory: an event cannot be read.
    """
    return list(require_read(event for commit in commits for event in commit.events))
