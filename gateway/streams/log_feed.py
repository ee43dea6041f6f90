"""The live stream of the log. Each client receives the events that pass its filter.

A client's position is a stream sequence. If a commit has several events, only the last has the sequence as
`id`: a client that disconnects in between receives all of them again. Heartbeats have an `id`, too: a client
with a narrow filter resumes from the position of the last heartbeat.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import orjson

from contracts.api.events import EventQuery
from contracts.api.fields import epoch_ms
from contracts.core.codec import Codec
from contracts.core.commit import Commit, Recorded
from contracts.core.event import Json
from contracts.core.subjects import EVERYTHING, aggregate_filter, state_filter
from contracts.runtime.log import Log
from gateway.streams.hub import Hub
from gateway.streams.sse import Client, Piece, frame

HEARTBEAT_S = 15.0
REPLAYS = 8
"""Maximum number of clients that read the past at the same time. Each needs a JetStream consumer."""
SHORT = 1000
"""Number of commits. A client that is at most this far behind does not wait for other replays."""
ANY = "*"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a client receives. An empty part matches all events."""

    aggregates: frozenset[str] = frozenset()
    id: str | None = None
    types: frozenset[str] = frozenset()
    actor: str | None = None

    @classmethod
    def of(cls, query: EventQuery) -> EventFilter:
        """Return the filter of a query."""
        return cls(frozenset(query.aggregate), query.id, frozenset(query.type), query.actor)

    @property
    def filters(self) -> tuple[str, ...]:
        """Subjects of all commits that may have matching events."""
        of_types = frozenset(name.partition(".")[0] for name in self.types)
        kinds = (self.aggregates & of_types) or self.aggregates or of_types
        if self.id:
            return tuple(aggregate_filter(kind, self.id) for kind in sorted(kinds) or (ANY,))
        return tuple(state_filter(kind) for kind in sorted(kinds)) or (EVERYTHING,)

    def events(self, commit: Commit) -> tuple[int, ...]:
        """Return the indexes of the events of a commit that match."""
        if self.aggregates and commit.aggregate not in self.aggregates:
            return ()
        if self.id is not None and commit.aggregate_id != self.id:
            return ()
        if self.actor is not None and commit.actor != self.actor:
            return ()
        return tuple(n for n, event in enumerate(commit.events) if not self.types or event.type in self.types)


class _Encoded:
    """One commit, encoded once for all clients that receive the same events of it."""

    def __init__(self, recorded: Recorded, codec: Codec) -> None:
        self.seq = recorded.seq
        self._envelopes: list[Mapping[str, Json]] = orjson.loads(codec.encode(recorded.commit))
        self._pieces: dict[tuple[int, ...], Piece] = {}

    def piece(self, events: tuple[int, ...]) -> Piece:
        if events not in self._pieces:
            ids = [None] * (len(events) - 1) + [self.seq]
            frames = (frame(dict(self._envelopes[n]), seq) for n, seq in zip(events, ids, strict=True))
            self._pieces[events] = Piece.of(b"".join(frames))
        return self._pieces[events]


@dataclass(eq=False)
class _Listener:
    """One client that receives new commits."""

    client: Client
    wants: EventFilter
    encode: Callable[[Recorded], _Encoded]
    last_seq: int = 0
    """Stream sequence of the newest commit received."""
    since: int | None = None
    """The position up to which the past was sent. New commits wait until it is known."""

    @property
    def position(self) -> int:
        return max(self.last_seq, self.since or 0)

    def receive(self, recorded: Recorded) -> None:
        missed = self.last_seq and recorded.seq > self.last_seq + 1
        self.last_seq = recorded.seq
        if self.since is None or recorded.seq <= self.since:
            return
        if missed:
            self.client.close()
        elif events := self.wants.events(recorded.commit):
            self.client.push(self.encode(recorded).piece(events))


class LogFeed:
    """All clients of the stream of the log."""

    def __init__(
        self,
        hub: Hub,
        log: Log,
        codec: Codec,
        clock: Callable[[], datetime],
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._hub = hub
        self._log = log
        self._codec = codec
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._clients: set[Client] = set()
        self._replays = asyncio.Semaphore(REPLAYS)
        self._short_replays = asyncio.Semaphore(REPLAYS)
        self._last: _Encoded | None = None

    def close(self) -> None:
        """End every client's stream."""
        for client in self._clients:
            client.close()

    async def serve(
        self, client: Client, wants: EventFilter, after: int | None, *, follow: bool = True
    ) -> None:
        """Send one client the matching events after position `after` (default: now).

        Returns when the client disconnects, or must reconnect because it missed a commit; without `follow`,
        after the events up to now.

        Raises:
            ConnectionResetError: the client disconnected during the replay.
            TimeoutError: the client does not read.
            Unavailable: the log could not be read.
        """
        newest = await self._log.last_seq()
        position = newest if after is None or after > newest else after
        await client.write(self._heartbeat(position))
        position = await self._replay(client, wants, position, newest)
        if not follow:
            return
        listener = _Listener(client, wants, self._encode)
        self._clients.add(client)
        try:
            async with self._hub.listening_to_all(listener.receive):
                newest = await self._log.last_seq()
                while position < newest:
                    position = await self._replay(client, wants, position, newest)
                    newest = listener.last_seq
                listener.since = position
                await self._serve(listener)
        finally:
            self._clients.discard(client)

    async def _serve(self, listener: _Listener) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_s):
                    return await listener.client.wait_closed()
            listener.client.push(Piece.of(self._heartbeat(listener.position)))

    async def _replay(self, client: Client, wants: EventFilter, position: int, newest: int) -> int:
        """Send past events after `position`, at least up to `newest`. Return the position reached."""
        if position >= newest:
            return position
        if newest - position <= SHORT:
            # Reading everything is quicker than to let the server search a long log for the filter.
            async with self._short_replays:
                return await self._read(client, wants, (), position, newest)
        async with self._replays:
            last = await self._log.last_seq(*wants.filters)
            return max(newest, await self._read(client, wants, wants.filters, position, last))

    async def _read(
        self, client: Client, wants: EventFilter, filters: Sequence[str], position: int, last: int
    ) -> int:
        """Send the matching events of the commits on `filters` after `position`, up to `last`."""
        if position < last:
            async with aclosing(self._log.tail(*filters, after=position)) as batches:
                async for batch in batches:
                    for recorded in batch:
                        if events := wants.events(recorded.commit):
                            await client.write(_Encoded(recorded, self._codec).piece(events).data)
                    position = batch[-1].seq
                    if position >= last:
                        break
        return position

    def _encode(self, recorded: Recorded) -> _Encoded:
        if self._last is None or self._last.seq != recorded.seq:
            self._last = _Encoded(recorded, self._codec)
        return self._last

    def _heartbeat(self, position: int) -> bytes:
        return frame({"type": "heartbeat", "timestamp": epoch_ms(self._clock())}, position)
