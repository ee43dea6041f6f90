"""The live stream of one run: told once, and sent to all its clients.

A client's position is a stream sequence. A commit that makes several events gives its sequence as `id` to
the last of them only: a client that is cut off in between gets all of them again, and never loses the rest.
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
from gateway.streams.narration import Narration, Told
from gateway.streams.sse import Client, Piece, frame
from gateway.views.results import result_text

RESULTS = ("result", "finalResult", "summary")
"""Fields of events that may be in the object store."""
TURN = 256
"""Clients that are sent something before others may use the loop."""
REPLAYS = 8
"""Beginnings of the past that are kept, because clients tend to come back together."""

Heard = Recorded | bytes
"""A commit, or what an executor says of a tool at work."""

Narrate = Callable[[str], Narration]
"""Begins to tell the run of an id."""


@dataclass(frozen=True, slots=True)
class Present:
    """What everyone has been told."""

    seq: int = 0
    """Stream sequence of the last commit told."""
    standing: Told = field(default_factory=dict)
    ending: bytes = b""
    """How the end was told, once it has come."""


@dataclass(frozen=True, slots=True)
class Past:
    """What was told after some position, up to a later one."""

    before: Told
    """Where the run stood then."""
    data: bytes
    upto: int


class Feed:
    """One run, its clients, and what the newest of its events need to be told."""

    def __init__(
        self,
        run_id: str,
        log: Log,
        blobs: Blobs,
        clock: Callable[[], datetime],
        narrate: Narrate,
    ) -> None:
        self.run_id = run_id
        self.closed = False
        """Whether nothing will be told any more."""
        self._log = log
        self._blobs = blobs
        self._clock = clock
        self._clients: set[Client] = set()
        self._narrate_anew = narrate
        self._narrator = narrate(run_id)
        self._present = Present()
        self._replays: dict[int, Past] = {}
        self._reading = asyncio.Lock()

    @property
    def is_known(self) -> bool:
        """Whether there is such a run."""
        return self._narrator.is_known

    @property
    def sources(self) -> Sequence[tuple[str, str]]:
        """Aggregates, by name and id, whose commits it is to hear."""
        return self._narrator.sources

    async def open(self) -> None:
        """Take in what has happened so far, without telling it.

        Raises:
            Unavailable: the log or the object store could not be read.
        """
        for recorded in await self._history():
            self._narrator.tell(recorded)
        self._present = await self._news()

    async def tell(self, heard: Sequence[Heard]) -> None:
        """Send everyone what was heard, at once.

        A commit heard twice is passed over; those that were not heard are read from the log.

        Raises:
            Unavailable: the log or the object store could not be read.
        """
        narrated = [await self._narrate(one) for one in heard]
        self._present = await self._news()
        self._replays.clear()
        await self._send(b"".join(narrated))
        if not self.is_known:
            self.close()

    async def beat(self) -> None:
        """Tell everyone that nothing has happened."""
        await self._send(frame(self._narrator.event("heartbeat", self._now(), {})))

    def close(self) -> None:
        """End every client's stream."""
        self.closed = True
        for client in self._clients:
            client.leave()

    async def serve(self, client: Client, after: int | None = None) -> None:
        """Send one client how things stand at position `after`, by default now; then all that follows.

        Returns when the client has left or the feed is closed.

        Raises:
            ConnectionResetError: the client left before it had caught up.
            TimeoutError: it does not read.
            Unavailable: the log or the object store could not be read.
        """
        position = await self._greet(client, after)
        while position < self._present.seq:
            past = await self._past(position)
            position = past.upto
            await client.write(past.data)
        if self.closed:
            return
        self._clients.add(client)  # nothing was told since the last look at the position
        try:
            await client.left()
        finally:
            self._clients.discard(client)

    async def _greet(self, client: Client, after: int | None) -> int:
        """Send how things stand at a position, and what was told after it; returns the position reached."""
        present = self._present
        if after is None or after > present.seq:
            position = None if present.ending else present.seq
            await client.write(self._told_standing(present.standing, position) + present.ending)
            return present.seq
        past = await self._past(after)
        await client.write(self._told_standing(past.before, after) + past.data)
        return past.upto

    async def _past(self, after: int) -> Past:
        """What has been told after a position."""
        if after == self._present.seq:
            return Past(self._present.standing, b"", after)
        async with self._reading:
            if after not in self._replays:
                if len(self._replays) >= REPLAYS:
                    self._replays.clear()
                self._replays[after] = await self._replay(after)
            return self._replays[after]

    async def _replay(self, after: int) -> Past:
        upto = self._present.seq
        narrator = self._narrate_anew(self.run_id)
        told = []
        before = narrator.standing
        for recorded in await self._history():
            if recorded.seq <= after:
                narrator.tell(recorded)
                before = narrator.standing
            elif recorded.seq <= upto:
                told.append(await self._frames(narrator, recorded))
        _require(narrator, upto)
        return Past(before, b"".join(told), upto)

    async def _history(self, after: int = 0) -> list[Recorded]:
        """The commits of all sources above a position, in order.

        What is appended to one source while another is read is no matter: by then nothing follows from it.
        """
        commits = [one for source in self.sources for one in await self._log.read(*source, after=after)]
        return sorted(commits, key=lambda one: one.seq)

    async def _narrate(self, heard: Heard) -> bytes:
        return self._narrate_tool(heard) if isinstance(heard, bytes) else await self._narrate_commit(heard)

    async def _narrate_commit(self, recorded: Recorded) -> bytes:
        narrator = self._narrator
        if recorded.seq <= narrator.seq:
            return b""
        if narrator.follows(recorded):
            return await self._frames(narrator, recorded)
        unheard = await self._history(after=narrator.seq)
        told = b"".join([await self._frames(narrator, one) for one in unheard])
        _require(narrator, recorded.seq)
        return told

    def _narrate_tool(self, payload: bytes) -> bytes:
        """A tool's progress, which is not in the log; nothing, if it cannot be understood."""
        try:
            said = ToolProgress.model_validate_json(payload)
            fields = {"toolName": said.tool, "message": said.message, **self._narrator.naming(said.step)}
        except ValueError:
            return b""
        return frame(self._narrator.event(f"tool.{said.kind}", self._now(), fields))

    async def _frames(self, narrator: Narration, recorded: Recorded) -> bytes:
        told = [await self._shown(event) for event in narrator.tell(recorded)]
        ids = [None] * (len(told) - 1) + [recorded.seq]
        return b"".join(map(frame, told, ids))

    async def _shown(self, told: Told) -> Told:
        texts = {key: await result_text(told[key], self._blobs) for key in RESULTS if key in told}
        return {**told, **texts}

    async def _news(self) -> Present:
        """What everyone is about to be told, and how the past ends for those who come later."""
        narrator, ending = self._narrator, self._present.ending
        if narrator.ending and not ending:
            ending = frame(await self._shown(narrator.ending), narrator.seq)
        return Present(narrator.seq, narrator.standing, ending)

    def _told_standing(self, standing: Told, position: int | None) -> bytes:
        return frame(self._narrator.update(self._now(), standing), position)

    async def _send(self, data: bytes) -> None:
        if not data:
            return
        piece = Piece.of(data)
        for number, client in enumerate(tuple(self._clients), start=1):
            client.push(piece)
            if number % TURN == 0:
                await asyncio.sleep(0)

    def _now(self) -> int:
        return epoch_ms(self._clock())


def _require(narrator: Narration, seq: int) -> None:
    if narrator.seq < seq:
        raise Unavailable(f"the log gives {narrator.run_id} only up to {narrator.seq}, not up to {seq}")
