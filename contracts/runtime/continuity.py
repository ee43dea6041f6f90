"""Detects a log that has lost commits: another stream, a shorter one, or one with different commits.

nats-server recovers a damaged store by silently truncating the log at the damage, and then assigns the same
sequences again. A restored older backup, or a stream that was deleted and created again, does the same. A
reader cannot detect this from sequences alone. Therefore it stores a Mark and compares it when it connects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from contracts.core.commit import Recorded
from contracts.core.user_error import UserError
from contracts.runtime.log import LogState

WAY_OUT = "restore the log and restart, or accept the loss and continue with `async-agent log accept`"


class LogRegressed(UserError):
    """The log has lost commits that this process has read."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The position of a reader, and what identifies the log up to there."""

    seq: int = 0
    """Stream sequence of the last message read; 0: nothing was read."""
    digest: str = ""
    """SHA-256 of that message, hexadecimal; empty: unknown."""
    created: str = ""
    """Creation time of the stream, as NATS reports it; empty: unknown."""
    accepted: str = ""
    """When an operator last accepted a log that had lost commits; empty: never."""

    @classmethod
    def at(cls, last: Recorded, state: LogState) -> Mark:
        """The mark of a reader that has read `last`."""
        return cls(last.seq, last.digest, state.created, state.accepted)


class Examined(Protocol):
    """The part of Log that a comparison needs."""

    async def state(self) -> LogState: ...

    async def state_and_digest(self, seq: int) -> tuple[LogState, str | None]: ...

    async def halt(self, reason: str) -> None: ...


class Interruptible(Protocol):
    """The part of a connection that Continuity needs."""

    interruptions: int
    """How often it has been interrupted. After each time, the server may return with a different log."""


def compare(mark: Mark, state: LogState, digest: str | None) -> str | None:
    """Return how a log has lost commits up to `mark`; None if it contains all of them.

    `digest` is the digest of the message at the mark, None if there is no such message. If the log is longer
    than the mark, a missing message was removed by an operator; that is not a regression.
    """
    if not mark.seq:
        return None
    where = f"the log regressed at seq {mark.seq}"
    if mark.created and mark.created != state.created:
        return f"{where}: the stream was deleted and created again at {state.created}"
    if state.last_seq < mark.seq:
        return f"{where}: it now ends at {state.last_seq}"
    if digest is not None and mark.digest and digest != mark.digest:
        return f"{where}: it has a different commit there now"
    return None


async def regression(log: Examined, mark: Mark) -> str | None:
    """Like `compare`, with the current state of `log`.

    Raises:
        Unavailable: the log could not be reached.
    """
    return compare(mark, *await log.state_and_digest(mark.seq))


class Continuity:
    """Checks that a log still contains what this process has seen of it through `connection`."""

    def __init__(
        self, log: Examined, connection: Interruptible, *, confirm_after_s: Sequence[float] = ()
    ) -> None:
        self._log = log
        self._connection = connection
        self._confirm_after_s = confirm_after_s
        """Seconds before each repeated check. A former leader may answer with old data for a while."""
        self._seq = 0
        self._payload = b""
        self._first: LogState | None = None
        self._checked = connection.interruptions
        """Number of interruptions before the last check, or before anything was seen."""
        self._checking = asyncio.Lock()

    def record_seen(self, seq: int, payload: bytes) -> None:
        """Record that message `seq` is in the log."""
        if seq > self._seq:
            self._seq, self._payload = seq, payload

    async def check_if_required(self) -> None:
        """Call `check` if the connection was interrupted since the last check."""
        if self._checked != self._connection.interruptions:
            async with self._checking:
                while self._checked != self._connection.interruptions:
                    await self.check()

    async def check(self) -> None:
        """Check the log. If it has lost commits, halt it for all processes.

        Raises:
            LogRegressed: the log has lost commits that this process has seen.
            Unavailable: the log could not be reached.
        """
        interruptions = self._connection.interruptions
        self._first = self._first or await self._log.state()
        mark = Mark(self._seq, sha256(self._payload).hexdigest(), self._first.created, self._first.accepted)
        reason = await self._confirmed(mark)
        if reason is None:
            self._checked = interruptions
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
