"""The live stream of one execution, made once and shared by all its clients.

A client's position is a stream sequence. A commit that makes several events is one piece of the stream;
only the last of them has an `id`, the sequence of the commit. So a client that is cut off in between gets
the whole piece again, and never loses the rest of one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import orjson

from contracts.api.fields import epoch_ms
from contracts.commit import Recorded
from contracts.runtime.blobs import Blobs
from contracts.runtime.log import Log, Unavailable
from gateway.execution_events import NOTHING_DONE, Narrator, Progress, Told, step_ids
from gateway.results import result_text
from gateway.sse import Lagging, frame

KEPT_BYTES = 4 * 1024 * 1024
"""Of a watched execution's newest pieces. A client further behind is cut off, and resumes by its id."""

RESULTS = ("result", "finalResult")
"""Fields of events that may be in the object store."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What clients get at once."""

    data: bytes
    seq: int = 0
    """Stream sequence of the commit it tells, 0 for what is not in the log."""
    before: Progress = NOTHING_DONE
    """Where the execution stood before it."""


class Feed:
    """The newest pieces of one execution's stream, and the means to get older ones."""

    def __init__(
        self, run_id: str, log: Log, blobs: Blobs, clock: Callable[[], datetime], kept_bytes: int = KEPT_BYTES
    ) -> None:
        self.run_id = run_id
        self.closed = False
        """Whether nothing will be added any more."""
        self._log = log
        self._blobs = blobs
        self._clock = clock
        self._kept_bytes = kept_bytes
        self._narrator = Narrator(run_id)
        self._ending = b""
        self._pieces: deque[Piece] = deque()
        self._first = 0
        """Number of the oldest piece at hand; where the numbers start means nothing."""
        self._begins = 0
        """Every commit of this run above this sequence is at hand."""
        self._bytes = 0
        self._changed = asyncio.Event()
        self._reading = asyncio.Lock()

    @property
    def is_known(self) -> bool:
        """Whether there is such an execution."""
        return self._narrator.is_known

    async def open(self) -> None:
        """Take in what has happened so far, without telling it.

        Raises:
            Unavailable: the log could not be read.
        """
        for recorded in await self._log.read("run", self.run_id):
            self._narrator.tell(recorded)
        self._begins = self._narrator.seq
        await self._note_ending()

    async def add(self, recorded: Recorded) -> None:
        """Tell the next commit: one heard twice is passed over, those not heard are read from the log."""
        narrator = self._narrator
        if recorded.seq <= narrator.seq:
            return
        follows = recorded.commit.version == narrator.version + 1
        unheard = [recorded] if follows else await self._log.read("run", self.run_id, after=narrator.seq)
        for one in unheard:
            self._append(await self._piece(narrator, one))
        await self._note_ending()
        if not narrator.is_known:
            self.close()

    def add_live(self, payload: bytes) -> None:
        """Tell the progress of a tool, which is not in the log."""
        if event := _tool_event(payload):
            name, fields = event
            self._append(Piece(frame(self._narrator.event(name, self._now(), fields))))

    def beat(self) -> None:
        """Tell that nothing has happened."""
        self._append(Piece(frame(self._narrator.event("heartbeat", self._now(), {}))))

    def close(self) -> None:
        """End every client's stream."""
        self.closed = True
        self._wake()

    async def frames(self, after: int | None = None) -> AsyncGenerator[bytes]:
        """One client's stream: how things stand at position `after`, by default now; then all that follows.

        Ends when the feed is closed.

        Raises:
            Lagging: the client is too slow.
        """
        if after is not None and after > self._narrator.seq:
            after = None
        missed = [] if after is None else await self._since(after)
        position = self._end
        yield b"".join([self._opening(after, missed), *(piece.data for piece in missed)])
        while True:
            changed = self._changed
            fresh = self._from(position)
            position += len(fresh)
            if data := b"".join(piece.data for piece in fresh):
                yield data
            elif self.closed:
                return
            else:
                await changed.wait()

    @property
    def _end(self) -> int:
        """Number of the piece that comes next."""
        return self._first + len(self._pieces)

    def _from(self, position: int) -> list[Piece]:
        if position < self._first:
            raise Lagging(self.run_id)
        newest_first = list(islice(reversed(self._pieces), self._end - position))
        return newest_first[::-1]

    def _opening(self, after: int | None, missed: Sequence[Piece]) -> bytes:
        """Where things stand. Who comes without a position and after the end is told the end too."""
        progress = missed[0].before if missed else self._narrator.progress
        snapshot = self._narrator.update(self._now(), progress)
        if after is not None:
            return frame(snapshot, after)
        return frame(snapshot, self._narrator.seq) + self._ending

    async def _since(self, after: int) -> list[Piece]:
        """Every piece that tells a commit above `after`."""
        missed: list[Piece] = []
        while after < self._begins:
            async with self._reading:  # a thousand clients that come back at once make one of them read
                if after < self._begins:
                    missed += await self._reach_back(after)
            after = missed[-1].seq if missed else after
        return missed + [piece for piece in self._pieces if piece.seq > after]

    async def _reach_back(self, after: int) -> list[Piece]:
        """Pieces from `after` on that are not at hand; none when they could be put there."""
        until = self._begins
        narrator = Narrator(self.run_id)
        older = []
        for recorded in await self._log.read("run", self.run_id):
            if recorded.seq <= after:
                narrator.tell(recorded)
            elif recorded.seq <= until:
                older.append(await self._piece(narrator, recorded))
        if narrator.seq != until:
            raise Unavailable(
                f"the log gives execution {self.run_id} only up to {narrator.seq}, not to {until}"
            )
        size = sum(len(piece.data) for piece in older)
        if self._begins != until or self._bytes + size > self._kept_bytes:
            return older
        self._pieces.extendleft(reversed(older))
        self._first -= len(older)
        self._bytes += size
        self._begins = after
        return []

    async def _piece(self, narrator: Narrator, recorded: Recorded) -> Piece:
        before = narrator.progress
        told = [await self._shown(event) for event in narrator.tell(recorded)]
        ids = [None] * (len(told) - 1) + [recorded.seq]
        return Piece(b"".join(map(frame, told, ids)), recorded.seq, before)

    async def _shown(self, told: Told) -> Told:
        texts = {key: await result_text(told[key], self._blobs) for key in RESULTS if key in told}
        return {**told, **texts}

    async def _note_ending(self) -> None:
        if self._narrator.ending and not self._ending:
            self._ending = frame(await self._shown(self._narrator.ending), self._narrator.seq)

    def _append(self, piece: Piece) -> None:
        self._pieces.append(piece)
        self._bytes += len(piece.data)
        while self._bytes > self._kept_bytes and len(self._pieces) > 1:
            gone = self._pieces.popleft()
            self._first += 1
            self._bytes -= len(gone.data)
            self._begins = max(self._begins, gone.seq)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _now(self) -> int:
        return epoch_ms(self._clock())


def _tool_event(payload: bytes) -> tuple[str, Told] | None:
    """What an executor says of a tool at work; None for what cannot be understood."""
    try:
        said = orjson.loads(payload)
        name = {"progress": "tool.progress", "completed": "tool.completed"}[said["kind"]]
        return name, {"toolName": said["tool"], "message": said["message"], **step_ids(said["step"])}
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
