"""The log: the only place anything is written, seen through a protocol with two implementations.

`nats_log.NatsLog` is the real one, `memory_log.MemoryLog` its equal for tests; one behaviour suite holds both
to it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.core.commit import Commit, Recorded

MAX_MESSAGE_BYTES = 512 * 1024
"""Payload and headers of one commit. Over 1 MiB the server drops the connection: we refuse before."""

OFFLOAD_BYTES = 64 * 1024
"""A value larger than this lives in the object store, not in an event."""


class Conflict(Exception):
    """The aggregate has commits that the writer had not seen: fold again, decide again."""


class TooLarge(Exception):
    """The commit is larger than the log takes; move large values to the object store or split it."""


class Unavailable(Exception):
    """The log was not reached in time; whether the commit landed is unknown, so retry the same one."""


@dataclass(frozen=True, slots=True)
class LogState:
    """What a log says of itself."""

    created: str
    """When the stream was made: tells it from another one of the same name."""
    last_seq: int
    """The highest sequence given out, whether its message is still there or not."""
    halted: str = ""
    """Why no commit is taken; empty while commits are taken."""
    accepted: str = ""
    """When an operator last accepted the log as it was, ISO 8601 in UTC; empty: never."""


class Halted(Unavailable):
    """The log has lost commits and takes no others until an operator accepts it; the message says more."""


class Log(Protocol):
    """Append under optimistic lock, read one aggregate, tail everything."""

    async def append(self, commit: Commit, *, after: int) -> int:
        """Store `commit` if the last sequence of its aggregate is `after` (0: it must not exist).

        Returns the stream sequence. Appending the same commit (same id) again returns the same sequence.

        Raises:
            Conflict: the aggregate's last sequence is not `after`.
            TooLarge: over MAX_MESSAGE_BYTES.
            Unavailable: not acknowledged before the deadline.
            Halted: the log takes no commits.
            InvalidId: the aggregate id is not fit for a subject.
        """
        ...

    async def read(self, aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Recorded]:
        """All commits of one aggregate with a sequence above `after`, in order; empty when there are none.

        Raises:
            Undecodable: a message on its subjects is not a commit.
            Unavailable: the log could not be reached.
        """
        ...

    async def newest(self, aggregate: str, aggregate_id: str) -> Recorded | None:
        """The last commit of one aggregate with its place, in one read; None when there is none."""
        ...

    def tail(self, *filters: str, after: int = 0) -> AsyncGenerator[Sequence[Recorded]]:
        """Every commit on subjects matching `filters` with a sequence above `after`, in order, for ever.

        Yields batches of what is there: at least one commit each, as many as are at hand. A message that is
        not a commit is parked and comes as `Recorded.nothing`, without events.
        """
        ...

    async def last_seq(self, *filters: str) -> int:
        """Sequence of the newest commit on `filters`, by default of the whole log; 0: none.

        A removed message does not count, though its sequence stays given out.
        """
        ...

    async def state(self) -> LogState:
        """What the log says of itself.

        Raises:
            Unavailable: it could not be reached.
        """
        ...

    async def digest(self, seq: int) -> str | None:
        """SHA-256 of the message at `seq`, hexadecimal; None when there is none.

        Raises:
            Unavailable: the log could not be reached.
        """
        ...

    async def halt(self, reason: str) -> None:
        """Refuse every commit of every process from now on, until an operator accepts the log.

        Raises:
            Unavailable: the log could not be reached.
        """
        ...
