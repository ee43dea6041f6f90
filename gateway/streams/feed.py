"""The live stream of one run. Its events are made once and sent to all clients.

A client's position is a stream sequence. If a commit has several events, only the last has the sequence as
`id`: a client that disconnects in between receives all of them again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contracts.api.fields import epoch_ms
from contracts.core.commit import Recorded
from contracts.domain.executors import ToolProgress
from contracts.runtime.blobs import Blobs
from contracts.runtime.log import Log, Unavailable
from gateway.streams.dialect import Dialect, StreamEvent
from gateway.streams.projection import StreamProjection
from gateway.streams.sse import Client, Piece, frame
from gateway.views.results import result_text

RESULTS = ("result", "finalResult", "summary")
"""Fields whose values may be in the object store."""
TURN = 256
"""Number of clients to serve before other tasks of the event loop run."""
REPLAYS = 8
"""Number of cached replays. Clients often reconnect at the same time."""
REPLAY_BYTES = 256 * 1024
"""Size after which a replay ends; the next one continues there. Each client that does not read holds one."""

Input = Recorded | bytes
"""A commit, or the progress of a tool as an executor published it."""


@dataclass(frozen=True, slots=True)
class Present:
    """The state that has been sent to all clients."""

    seq: int = 0
    """Stream sequence of the last commit."""
    status_event: StreamEvent = field(default_factory=dict)
    ending: bytes = b""
    """The final event of the run."""


@dataclass(frozen=True, slots=True)
class Past:
    """The events after one position, up to a later one."""

    before: StreamEvent
    """State of the run at the first position."""
    data: bytes
    upto: int


class Feed:
    """One run and its clients."""

    def __init__(
        self,
        run_id: str,
        log: Log,
        blobs: Blobs,
        clock: Callable[[], datetime],
        dialect: Dialect,
    ) -> None:
        self.run_id = run_id
        self.closed = False
        """Whether the feed is closed."""
        self._log = log
        self._blobs = blobs
        self._clock = clock
        self._clients: set[Client] = set()
        self._projection = StreamProjection(run_id, dialect)
        self._present = Present()
        self._replays: dict[int, Past] = {}
        self._reading = asyncio.Lock()

    @property
    def is_known(self) -> bool:
        """Whether the run exists."""
        return self._projection.is_known

    @property
    def sources(self) -> Sequence[tuple[str, str]]:
        """Aggregates, by name and id, whose commits the feed uses."""
        return self._projection.sources

    @property
    def seq(self) -> int:
        """Stream sequence of the last processed commit."""
        return self._present.seq

    async def open(self) -> None:
        """Process the past commits without sending their events.

        Raises:
            Unavailable: the log or the object store could not be read.
        """
        for recorded in await self._history():
            self._projection.apply(recorded)
        self._present = await self._current_state()

    async def send(self, inputs: Sequence[Input]) -> None:
        """Send the events of `inputs` to all clients.

        Repeated commits are ignored. Missing commits are read from the log.

        Raises:
            Unavailable: the log or the object store could not be read.
        """
        frames = [await self._frames_of(one) for one in inputs]
        self._present = await self._current_state()
        self._replays.clear()
        await self._send(b"".join(frames))
        if not self.is_known:
            self.close()

    async def beat(self) -> None:
        """Send all clients a heartbeat."""
        await self._send(frame(self._projection.event("heartbeat", self._now(), {})))

    def close(self) -> None:
        """End every client's stream."""
        self.closed = True
        for client in self._clients:
            client.close()

    async def serve(self, client: Client, after: int | None = None) -> None:
        """Send one client the state at position `after` (default: now), and then all later events.

        Returns when the client disconnects or the feed is closed.

        Raises:
            ConnectionResetError: the client disconnected during the replay.
            TimeoutError: the client does not read.
            Unavailable: the log or the object store could not be read.
        """
        position = await self._send_initial(client, after)
        while position < self._present.seq:
            past = await self._past(position)
            position = past.upto
            await client.write(past.data)
        if self.closed:
            return
        self._clients.add(client)  # nothing was sent since the position was read
        try:
            await client.wait_closed()
        finally:
            self._clients.discard(client)

    async def _send_initial(self, client: Client, after: int | None) -> int:
        """Send the state at a position and the events after it. Return the position reached."""
        present = self._present
        if after is None or after > present.seq:
            position = None if present.ending else present.seq
            await client.write(self._status_frame(present.status_event, position))
            await client.write(present.ending)  # not joined, so that all clients share the bytes
            return present.seq
        past = await self._past(after)
        await client.write(self._status_frame(past.before, after))
        await client.write(past.data)
        return past.upto

    async def _past(self, after: int) -> Past:
        """Return the events after a position, from the cache if possible."""
        if after == self._present.seq:
            return Past(self._present.status_event, b"", after)
        async with self._reading:
            if after not in self._replays:
                if len(self._replays) >= REPLAYS:
                    self._replays.clear()
                self._replays[after] = await self._replay(after)
            return self._replays[after]

    async def _replay(self, after: int) -> Past:
        upto = self._present.seq
        projection = StreamProjection(self.run_id, self._projection.dialect)
        frames, size = [], 0
        before = projection.status_event
        for recorded in await self._history():
            if recorded.seq <= after:
                projection.apply(recorded)
                before = projection.status_event
            elif recorded.seq <= upto:
                frames.append(await self._frames(projection, recorded))
                size += len(frames[-1])
                if size > REPLAY_BYTES:
                    return Past(before, b"".join(frames), recorded.seq)
        _require(projection, upto)
        return Past(before, b"".join(frames), upto)

    async def _history(self, after: int = 0) -> list[Recorded]:
        """Read the commits of all sources above a position, in order.

        Commits that are appended to one source during the read do not affect the other source.
        """
        commits = [one for source in self.sources for one in await self._log.read(*source, after=after)]
        return sorted(commits, key=lambda one: one.seq)

    async def _frames_of(self, one: Input) -> bytes:
        return self._frames_of_tool(one) if isinstance(one, bytes) else await self._frames_of_commit(one)

    async def _frames_of_commit(self, recorded: Recorded) -> bytes:
        projection = self._projection
        if recorded.seq <= projection.seq:
            return b""
        if projection.follows(recorded):
            return await self._frames(projection, recorded)
        missing = await self._history(after=projection.seq)
        frames = b"".join([await self._frames(projection, one) for one in missing])
        _require(projection, recorded.seq)
        return frames

    def _frames_of_tool(self, payload: bytes) -> bytes:
        """Return the frame of a tool's progress. An unreadable message has none."""
        try:
            progress = ToolProgress.model_validate_json(payload)
            fields = {"toolName": progress.tool, "message": progress.message}
            step = self._projection.name_step(progress.step)
        except ValueError:
            return b""
        return frame(self._projection.event(f"tool.{progress.kind}", self._now(), {**fields, **step}))

    async def _frames(self, projection: StreamProjection, recorded: Recorded) -> bytes:
        events = [await self._with_results(event) for event in projection.apply(recorded)]
        ids = [None] * (len(events) - 1) + [recorded.seq]
        return b"".join(map(frame, events, ids))

    async def _with_results(self, event: StreamEvent) -> StreamEvent:
        texts = {key: await result_text(event[key], self._blobs) for key in RESULTS if key in event}
        return {**event, **texts}

    async def _current_state(self) -> Present:
        """Return the current state, and the final event for clients that connect later."""
        projection, present = self._projection, self._present
        if projection.seq == present.seq:
            return present
        ending = projection.ending
        final = frame(await self._with_results(ending), projection.seq) if ending else b""
        return Present(projection.seq, projection.status_event, final)

    def _status_frame(self, status_event: StreamEvent, position: int | None) -> bytes:
        return frame(self._projection.update(self._now(), status_event), position)

    async def _send(self, data: bytes) -> None:
        if not data:
            return
        piece = Piece.of(data)
        for number, client in enumerate(tuple(self._clients), start=1):
            client.push(piece)
            if number % TURN == 0:
                await asyncio.sleep(0)  # let other tasks run: there may be thousands of clients

    def _now(self) -> int:
        return epoch_ms(self._clock())


def _require(projection: StreamProjection, seq: int) -> None:
    if projection.seq < seq:
        raise Unavailable(f"the log has {projection.run_id} only up to {projection.seq}, not up to {seq}")
