"""Whether a log still contains what was read from it: the same stream, no shorter, with the same commits.

nats-server recovers a damaged store by cutting the log at the damage, says nothing, and gives the same
sequences out again. An older copy that is put back, or a stream that is deleted and made again, looks the
same to a reader that only counts sequences. A reader therefore keeps a Mark and compares it when it connects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from contracts.core.commit import Recorded
from contracts.runtime.log import LogState
from contracts.runtime.process.service import UserError

WAY_OUT = "put the log back and start again, or go on with what is there: `async-agent log accept`"


class LogRegressed(UserError):
    """The log lacks commits that this process has read: it has to start again from what is there."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a reader has come, and how to recognise the log by it."""

    seq: int = 0
    """Stream sequence of the last message read; 0: none."""
    digest: str = ""
    """SHA-256 of that message, hexadecimal; empty: unknown."""
    created: str = ""
    """When the stream was made, as NATS says it; empty: unknown."""
    accepted: str = ""
    """When an operator had last accepted a log that had regressed; empty: never."""

    @classmethod
    def at(cls, last: Recorded, state: LogState) -> Mark:
        """The mark of a reader that has read `last`."""
        return cls(last.seq, last.digest, state.created, state.accepted)


class Examined(Protocol):
    """What a comparison asks of a log; see Log."""

    async def state(self) -> LogState: ...

    async def digest(self, seq: int) -> str | None: ...

    async def halt(self, reason: str) -> None: ...


def compare(mark: Mark, state: LogState, digest: str | None) -> str | None:
    """Why a log is not the one that was read up to `mark`, None when it contains all of that.

    `digest` is that of the message at the mark, None when there is no such message. One that is missing below
    the end of the log was removed by an operator: that is no regression.
    """
    if not mark.seq:
        return None
    where = f"the log regressed at seq {mark.seq}"
    if mark.created and mark.created != state.created:
        return f"{where}: the stream was deleted and made again at {state.created}"
    if state.last_seq < mark.seq:
        return f"{where}: it now ends at {state.last_seq}"
    if digest is not None and mark.digest and digest != mark.digest:
        return f"{where}: another commit is there now"
    return None


async def regression(log: Examined, mark: Mark) -> str | None:
    """As `compare`, with what `log` says now.

    Raises:
        Unavailable: the log could not be reached.
    """
    return compare(mark, await log.state(), await log.digest(mark.seq) if mark.seq else None)


class Continuity:
    """What one process has seen of a log, and whether the log still contains it."""

    def __init__(self, log: Examined, *, confirm_after_s: Sequence[float] = ()) -> None:
        self._log = log
        self._confirm_after_s = confirm_after_s
        """Looks again after these pauses: a replica that has just lost the lead may say what was."""
        self._seq = 0
        self._payload = b""
        self._first: LogState | None = None
        self._doubtful = False
        """Whether the log may have changed since it was compared."""
        self._checking = asyncio.Lock()

    def saw(self, seq: int, payload: bytes) -> None:
        """Message `seq` is in the log."""
        if seq > self._seq:
            self._seq, self._payload = seq, payload

    def doubt(self) -> None:
        """The connection was interrupted: the server may come back with another log."""
        self._doubtful = True

    async def reassure(self) -> None:
        """Compare, if the connection was interrupted since the last time; see `check`."""
        if self._doubtful:
            async with self._checking:
                if self._doubtful:
                    await self.check()

    async def check(self) -> None:
        """Compare; a log that has regressed is halted for everybody.

        Raises:
            LogRegressed: the log lacks what this process has seen.
            Unavailable: the log could not be reached.
        """
        self._first = self._first or await self._log.state()
        mark = Mark(self._seq, sha256(self._payload).hexdigest(), self._first.created, self._first.accepted)
        reason = await self._confirmed(mark)
        if reason is None:
            self._doubtful = False
            return
        if (await self._log.state()).accepted == mark.accepted:
            await self._log.halt(reason)
        raise LogRegressed(reason)

    async def _confirmed(self, mark: Mark) -> str | None:
        reason = await regression(self._log, mark)
        for pause in self._confirm_after_s:
            if reason is None:
                break
            await asyncio.sleep(pause)
            reason = await regression(self._log, mark)
        return reason
