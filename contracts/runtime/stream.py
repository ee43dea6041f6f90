"""One aggregate: its folded state, its position in the log, and appending to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

from contracts.core.aggregate import Aggregate, Snapshots
from contracts.core.commit import Commit, Place, Recorded, all_events
from contracts.core.event import Event
from contracts.core.ids import unique
from contracts.core.unread import Unread
from contracts.runtime.log import Conflict, Log

S = TypeVar("S")

ATTEMPTS = 20
"""Maximum number of attempts of `Stream.decide`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The metadata of new commits: the writer, and what caused them."""

    source: str
    """`/<service>/<instance>`."""
    correlation_id: str = field(default_factory=unique)
    causation_id: str | None = None
    actor: str | None = None
    """Who asked for the commits, see contracts.core.actors."""
    traceparent: str | None = None

    def caused_by(self, cause: Commit) -> Origin:
        """The origin of a commit of the same writer that `cause` caused."""
        return Origin(self.source, cause.correlation_id, cause.id, cause.actor, cause.traceparent)


class TooManyConflicts(Exception):
    """Other writers changed the aggregate during every attempt. A later retry may succeed."""


class Stream(Generic[S]):
    """The state of one aggregate. An append succeeds only if no other writer has appended in the meantime."""

    def __init__(self, log: Log, aggregate: Aggregate[S], aggregate_id: str, origin: Origin) -> None:
        self.log = log
        self.aggregate = aggregate
        self.id = aggregate_id
        self.origin = origin
        self.state: S = aggregate.initial
        self.seq = 0
        """Stream sequence of the last commit folded; 0 before the first."""
        self.version = 0
        """Position of the last event folded."""
        self.began: datetime | None = None
        """Time of the aggregate's first commit; None before it."""
        self.changed: datetime | None = None
        """Time of the last commit folded; None before the first."""
        self._place: Place | None = Place(0, 0)
        """Place of the last commit folded; None if unknown."""

    @classmethod
    async def open(cls, log: Log, aggregate: Aggregate[S], aggregate_id: str, origin: Origin) -> Stream[S]:
        """Read the aggregate from the log."""
        stream = cls(log, aggregate, aggregate_id, origin)
        if aggregate.snapshots is None or not await stream._restored(aggregate.snapshots):
            await stream.refresh()
        return stream

    @classmethod
    async def newest(cls, log: Log, aggregate: Aggregate[S], aggregate_id: str, origin: Origin) -> Stream[S]:
        """Read only the newest commit. For aggregates whose every commit contains the whole state."""
        stream = cls(log, aggregate, aggregate_id, origin)
        if newest := await log.newest(aggregate.name, aggregate_id):
            stream.fold(newest)
        return stream

    async def refresh(self) -> Sequence[Event]:
        """Read and fold the commits that other writers have appended. Returns their events."""
        recorded = await self.log.read(self.aggregate.name, self.id, after=self.seq)
        for one in recorded:
            self.fold(one)
        return all_events(one.commit for one in recorded)

    def fold(self, recorded: Recorded) -> None:
        """Apply a commit. It must directly follow the last one folded."""
        self._take(recorded.commit, recorded.seq, self.aggregate.fold(recorded.commit.events, self.state))

    async def append(self, events: Sequence[Event], *, becomes: S | None = None) -> int:
        """Append `events` as one commit and fold them. Returns the sequence of the commit.

        `becomes` is the state after `events`, if the caller has computed it already.

        Raises:
            Conflict: another writer appended first. Refresh and decide again.
            TooLarge: the events do not fit into one commit.
        """
        state = self.aggregate.fold(events, self.state) if becomes is None else becomes
        now = datetime.now(UTC)
        snapshots = self.aggregate.snapshots
        commit = Commit(
            id=unique(),
            aggregate=self.aggregate.name,
            aggregate_id=self.id,
            state=self.aggregate.status(state),
            version=self.version + 1,
            time=now,
            source=self.origin.source,
            events=tuple(events),
            correlation_id=self.origin.correlation_id,
            causation_id=self.origin.causation_id,
            actor=self.origin.actor,
            traceparent=self.origin.traceparent,
            snapshot=snapshots.taken(state) if snapshots else None,
            began=self.began or now,
            place=self._place and Place(self._place.first, self._place.number + 1),
        )
        self._take(commit, await self.log.append(commit, after=self.seq), state)
        return self.seq

    async def decide(self, decide: Callable[[S], Sequence[Event]]) -> Sequence[Event]:
        """Append the events that `decide` returns for the state. On a conflict, refresh and decide again.

        Returns the events appended, which may be empty.

        Raises:
            DomainError: `decide` raised it.
            TooManyConflicts: there was a conflict in each of ATTEMPTS attempts.
            TooLarge: the events do not fit into one commit.
        """
        for _ in range(ATTEMPTS):
            events = decide(self.state)
            if not events:
                return ()
            try:
                await self.append(events)
            except Conflict:
                await self.refresh()
            else:
                return events
        raise TooManyConflicts(f"{self.aggregate.name} {self.id} is changing too fast; try again")

    async def _restored(self, snapshots: Snapshots[S]) -> bool:
        """Restore the state from the snapshot in the newest commit. Without a commit, keep the initial state.

        Returns False if the newest commit has no snapshot of this version, or has an event that this version
        cannot read. The caller then folds all events, which raises UnreadHistory for such an event.
        """
        newest = await self.log.newest(self.aggregate.name, self.id)
        if newest is None:
            return True
        state = snapshots.restored(newest.commit.snapshot)
        if state is None or any(isinstance(event, Unread) for event in newest.commit.events):
            return False
        self._take(newest.commit, newest.seq, state)
        self.began = newest.commit.began
        return True

    def _take(self, commit: Commit, seq: int, state: S) -> None:
        if commit.version == 1:
            self._place = Place(seq, 1)
        elif self.seq == 0:
            self._place = commit.place
        elif self._place:
            self._place = Place(self._place.first, self._place.number + 1)
        self.state, self.seq, self.version = state, seq, commit.last_version
        self.began, self.changed = self.began or commit.time, commit.time


async def transact(
    log: Log,
    aggregate: Aggregate[S],
    aggregate_id: str,
    decide: Callable[[S], Sequence[Event]],
    origin: Origin,
) -> Stream[S]:
    """Open the aggregate and call `Stream.decide`. Returns the stream after it; raises the same errors."""
    stream = await Stream.open(log, aggregate, aggregate_id, origin)
    await stream.decide(decide)
    return stream
