"""One aggregate: its folded state, its position in the log, and the one way to change it."""

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


@dataclass(frozen=True, slots=True)
class Origin:
    """Who commits, and on whose behalf."""

    source: str
    """`/<service>/<instance>`."""
    correlation_id: str = field(default_factory=unique)
    causation_id: str | None = None
    traceparent: str | None = None

    def caused_by(self, cause: Commit) -> Origin:
        """The same writer, acting on `cause`."""
        return Origin(self.source, cause.correlation_id, cause.id, cause.traceparent)


class Contended(Exception):
    """Others kept changing the aggregate while we tried; trying again later may succeed."""


class Stream(Generic[S]):
    """The state of one aggregate and the right to append if nobody else did meanwhile."""

    def __init__(self, log: Log, aggregate: Aggregate[S], aggregate_id: str, origin: Origin) -> None:
        self.log = log
        self.aggregate = aggregate
        self.id = aggregate_id
        self.origin = origin
        self.state: S = aggregate.initial
        self.seq = 0
        """Stream sequence of the last commit folded, 0 before the first."""
        self.version = 0
        """Position of the last event folded."""
        self.began: datetime | None = None
        """Time of the first commit folded, None before it."""
        self.changed: datetime | None = None
        """Time of the last one."""
        self._place: Place | None = Place(0, 0)
        """Of the last commit folded; None where it is not known."""

    @classmethod
    async def open(cls, log: Log, aggregate: Aggregate[S], aggregate_id: str, origin: Origin) -> Stream[S]:
        """The aggregate as the log has it now."""
        stream = cls(log, aggregate, aggregate_id, origin)
        if aggregate.snapshots is None or not await stream._restored(aggregate.snapshots):
            await stream.refresh()
        return stream

    @classmethod
    async def newest(cls, log: Log, aggregate: Aggregate[S], aggregate_id: str, origin: Origin) -> Stream[S]:
        """The aggregate by its newest commit alone, where every commit says all there is to know."""
        stream = cls(log, aggregate, aggregate_id, origin)
        if newest := await log.newest(aggregate.name, aggregate_id):
            stream.fold(newest)
        return stream

    async def refresh(self) -> Sequence[Event]:
        """Fold what others have appended since; returns those events."""
        recorded = await self.log.read(self.aggregate.name, self.id, after=self.seq)
        for one in recorded:
            self.fold(one)
        return all_events(one.commit for one in recorded)

    def fold(self, recorded: Recorded) -> None:
        """Take in a commit that is known to follow the last one folded."""
        self._take(recorded.commit, recorded.seq, self.aggregate.fold(recorded.commit.events, self.state))

    async def append(self, events: Sequence[Event], *, becomes: S | None = None) -> int:
        """Append `events` as one commit and fold them; returns its sequence.

        `becomes` is the state after them, where the caller knows it already.

        Raises:
            Conflict: somebody else appended first; refresh and decide again.
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
            traceparent=self.origin.traceparent,
            snapshot=snapshots.taken(state) if snapshots else None,
            began=self.began or now,
            place=self._place and Place(self._place.first, self._place.number + 1),
        )
        self._take(commit, await self.log.append(commit, after=self.seq), state)
        return self.seq

    async def decide(self, decide: Callable[[S], Sequence[Event]]) -> Sequence[Event]:
        """Append what `decide` makes of the state; if somebody else appended first, refresh and decide again.

        Returns the events appended; none where there was nothing to decide.

        Raises:
            DomainError: what `decide` raised.
            Contended: lost the race ATTEMPTS times.
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
        raise Contended(f"{self.aggregate.name} {self.id} is changing too fast; try again")

    async def _restored(self, snapshots: Snapshots[S]) -> bool:
        """Take the state from the newest commit, or the initial one where there is no commit.

        False where the newest commit has no snapshot that this version can use, or has an event that this
        version cannot read: the events are to be folded then, which refuses what must not be decided on.
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
    """Open the aggregate and `Stream.decide`; returns it as it is then. Raises what that raises."""
    stream = await Stream.open(log, aggregate, aggregate_id, origin)
    await stream.decide(decide)
    return stream
