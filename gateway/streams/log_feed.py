"""The live stream of everything: each commit of the log as its events, for every client the ones it wants.

A client's position is a stream sequence. Of the events of one commit only the last has it as `id`, so that a
client that is cut off in between gets all of them again. Heartbeats have an `id` too: a client that wants
little still resumes from where the log was when it was last heard from.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import orjson

from contracts.api.events import EventQuery
from contracts.api.fields import epoch_ms
from contracts.core.commit import Codec, Commit, Recorded
from contracts.core.event import Json
from contracts.core.subjects import EVERYTHING, aggregate_filter, state_filter
from contracts.runtime.log import Log
from gateway.streams.hub import Hub
from gateway.streams.sse import Client, Piece, frame

HEARTBEAT_S = 15.0
REPLAYS = 8
"""Clients that read the past at once; each of them takes a consumer of the stream for that long."""
SHORT = 1000
"""Commits. Clients that are no further behind do not queue behind those that read a long past."""
ANY = "*"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events a client wants; where nothing is named, all."""

    aggregates: frozenset[str] = frozenset()
    id: str | None = None
    types: frozenset[str] = frozenset()

    @classmethod
    def of(cls, query: EventQuery) -> Wanted:
        """What a client asks for."""
        return cls(frozenset(query.aggregate), query.id, frozenset(query.type))

    @property
    def filters(self) -> tuple[str, ...]:
        """Subjects that have every commit with such events, and perhaps others."""
        of_types = frozenset(name.partition(".")[0] for name in self.types)
        kinds = (self.aggregates & of_types) or self.aggregates or of_types
        if self.id:
            return tuple(aggregate_filter(kind, self.id) for kind in sorted(kinds) or (ANY,))
        return tuple(state_filter(kind) for kind in sorted(kinds)) or (EVERYTHING,)

    def events(self, commit: Commit) -> tuple[int, ...]:
        """Those of a commit's events that are wanted, by their places in it."""
        if self.aggregates and commit.aggregate not in self.aggregates:
            return ()
        if self.id is not None and commit.aggregate_id != self.id:
            return ()
        return tuple(n for n, event in enumerate(commit.events) if not self.types or event.type in self.types)


class _Told:
    """One commit as it is told, made ready once for all who want the same of it."""

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
    """One client that hears what is new."""

    client: Client
    wanted: Wanted
    tell: Callable[[Recorded], _Told]
    heard: int = 0
    """Stream sequence of the newest commit heard."""
    since: int | None = None
    """What has been sent already; nothing is sent before this is known."""

    @property
    def position(self) -> int:
        return max(self.heard, self.since or 0)

    def hear(self, recorded: Recorded) -> None:
        missed = self.heard and recorded.seq > self.heard + 1
        self.heard = recorded.seq
        if self.since is None or recorded.seq <= self.since:
            return
        if missed:
            self.client.leave()
        elif events := self.wanted.events(recorded.commit):
            self.client.push(self.tell(recorded).piece(events))


class LogFeed:
    """Everyone who watches the log."""

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
        self._last: _Told | None = None

    def close(self) -> None:
        """End every client's stream."""
        for client in self._clients:
            client.leave()

    async def serve(self, client: Client, wanted: Wanted, after: int | None) -> None:
        """Send one client what it wants of all that comes after position `after`, by default from now on.

        Returns when the client has left, or has to come back because something was missed.

        Raises:
            ConnectionResetError: the client left before it had caught up.
            TimeoutError: it does not read.
            Unavailable: the log could not be read.
        """
        newest = await self._log.last_seq()
        position = newest if after is None or after > newest else after
        await client.write(self._heartbeat(position))
        position = await self._replay(client, wanted, position, newest)
        listener = _Listener(client, wanted, self._tell)
        self._clients.add(client)
        try:
            async with self._hub.overhearing(listener.hear):
                newest = await self._log.last_seq()
                while position < newest:
                    position = await self._replay(client, wanted, position, newest)
                    newest = listener.heard
                listener.since = position
                await self._attend(listener)
        finally:
            self._clients.discard(client)

    async def _attend(self, listener: _Listener) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_s):
                    return await listener.client.left()
            listener.client.push(Piece.of(self._heartbeat(listener.position)))

    async def _replay(self, client: Client, wanted: Wanted, position: int, newest: int) -> int:
        """Send what is in the log after `position`, at least up to `newest`; returns up to where."""
        if position >= newest:
            return position
        async with self._short_replays if newest - position <= SHORT else self._replays:
            last = await self._log.last_seq(*wanted.filters)
            if last <= position:
                return max(position, newest)
            async with aclosing(self._log.tail(*wanted.filters, after=position)) as batches:
                async for batch in batches:
                    for recorded in batch:
                        if events := wanted.events(recorded.commit):
                            await client.write(_Told(recorded, self._codec).piece(events).data)
                    position = batch[-1].seq
                    if position >= last:
                        break
        return max(position, newest)

    def _tell(self, recorded: Recorded) -> _Told:
        if self._last is None or self._last.seq != recorded.seq:
            self._last = _Told(recorded, self._codec)
        return self._last

    def _heartbeat(self, position: int) -> bytes:
        return frame({"type": "heartbeat", "timestamp": epoch_ms(self._clock())}, position)
