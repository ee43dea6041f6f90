"""The protocol of the log. The log is the source of truth: all state is derived from its commits.

`nats_log.NatsLog` is the real log, `memory_log.MemoryLog` one for tests. Both pass the same behaviour suite.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.core.commit import Commit, Recorded

MAX_MESSAGE_BYTES = 512 * 1024
"""Maximum size of one commit, payload and headers. The server closes the connection above 1 MiB."""

OFFLOAD_BYTES = 64 * 1024
"""A value with larger JSON is moved from the event to the object store."""


class Conflict(Exception):
    """The aggregate has commits that the writer has not seen. Refresh the state and decide again."""


class TooLarge(Exception):
    """The commit exceeds MAX_MESSAGE_BYTES. Move large values to the object store or split the commit."""


class Unavailable(Exception):
    """The log did not answer in time. The commit may have been stored: retry with the same commit."""


@dataclass(frozen=True, slots=True)
class LogState:
    """The state of a log."""

    created: str
    """Creation time of the stream. It differs if the stream was deleted and created again."""
    last_seq: int
    """The highest sequence assigned so far, even if its message was removed."""
    halted: str = ""
    """Why the log refuses commits; empty: it accepts commits."""
    accepted: str = ""
    """When an operator last accepted that the log had lost commits, ISO 8601 in UTC; empty: never."""
    replicas_behind: int = 0
    """Number of replicas that are down or have not stored the newest commits."""


class Halted(Unavailable):
    """The log has lost commits and refuses new ones until an operator accepts the loss."""


class StorageFailed(Unavailable):
    """The server of the log cannot store messages: its disk or a limit is full, or a write to disk failed."""


class Log(Protocol):
    """Append with an optimistic lock, read one aggregate, follow all commits."""

    async def append(self, commit: Commit, *, after: int) -> int:
        """Store `commit` if the last commit of its aggregate is `after` (0: the aggregate must not exist).

        Returns the stream sequence. Appending the same commit (same id) again returns the same sequence.

        Raises:
            Conflict: the aggregate's last commit is not `after`.
            TooLarge: the commit exceeds MAX_MESSAGE_BYTES.
            Unavailable: the commit was not acknowledged before the deadline.
            Halted: the log refuses commits.
            StorageFailed: the log cannot store commits at the moment.
            InvalidId: the aggregate id is not a valid id.
        """
        ...

    async def read(self, aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Recorded]:
        """All commits of one aggregate with a sequence above `after`, in order.

        Messages that no writer has published are skipped.

        Raises:
            Undecodable: a message that a writer has published is not a commit.
            Unavailable: the log could not be reached.
        """
        ...

    async def newest(self, aggregate: str, aggregate_id: str) -> Recorded | None:
        """The last commit of one aggregate, with its `place`, in one read; None if there is none."""
        ...

    def tail(self, *filters: str, after: int = 0) -> AsyncGenerator[Sequence[Recorded]]:
        """Follow all commits on subjects matching `filters` with a sequence above `after`, in order.

        The iteration never ends; it waits for new commits. It yields batches of one or more commits, as many
        as have arrived. A message that is not a commit is parked and yielded as `Recorded.nothing`.

        In a long log it takes the server long to begin with several filters that have wildcards. Where their
        common order does not matter, follow each filter by itself.
        """
        ...

    async def last_seq(self, *filters: str) -> int:
        """Sequence of the newest message on `filters`, by default in the whole log; 0: there is none.

        Removed messages do not count. The newest message may be one that `tail` yields as `Recorded.nothing`.
        """
        ...

    async def state(self) -> LogState:
        """The current state of the log.

        Raises:
            Unavailable: the log could not be reached.
        """
        ...

    async def state_and_digest(self, seq: int) -> tuple[LogState, str | None]:
        """The current state and the digest of the message at `seq`. Both are of the same log.

        The digest is the SHA-256 as hexadecimal text, or None if the log has no message at `seq`.

        Raises:
            Unavailable: the log could not be reached.
        """
        ...

    async def halt(self, reason: str) -> None:
        """Refuse all commits of all processes until an operator accepts the log.

        Raises:
            Unavailable: the log could not be reached.
        """
        ...

    async def problem(self) -> str | None:
        """Why the log refuses commits, and what to do; None if it accepts them.

        Does not wait for a disconnected server.
        """
        ...
