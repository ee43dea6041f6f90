"""Detects that nats-server answers but does not store the messages of a stream.

After a failed write to disk, nats-server (seen with 2.15) still answers reads and API requests, but no
longer acknowledges messages of that stream, even after the disk has room again. Only a restart helps.
A stream with one replica processes messages in their order: when a later message is answered, an earlier one
that is neither acknowledged nor in the stream was not stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from contracts.runtime.log import StorageFailed
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.publish import Publish, WrongLastSequence, publish
from contracts.runtime.nats.retry import NoAnswer, NoResponder, NotSent

FAILING_ATTEMPT_S = 0.2
"""Seconds to wait for an acknowledgement while the server is known not to store messages."""
IMPOSSIBLE = {"Nats-Expected-Last-Sequence": str(2**53)}
"""Header of a message that no stream stores, but answers."""
PROBE = "$KV.positions.storage-probe"
"""Subject whose only message is overwritten to see whether the server stores messages again."""
SILENT = (
    "NATS answers but does not store commits, because a write to its disk failed: make room on the disk, "
    "then restart nats-server (`async-agent up` restarts its own)"
)


class Storage:
    """Publishes to a stream, and remembers the last storage error until the server stores messages again."""

    def __init__(self, connection: Connection, publish: Publish, *, replicated: bool) -> None:
        self._connection = connection
        self._publish = publish
        self._replicated = replicated
        self._failure: StorageFailed | None = None
        self._is_silent = False
        self._interruptions = 0
        """Interruptions of the connection before the failure. A reconnect may lead to another server."""
        self._last_seq: int | None = None
        """Last sequence of the stream when `problem` first reported the failure."""

    async def store(
        self, subject: str, payload: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> int:
        """Store one message; returns its stream sequence.

        Raises:
            StorageFailed: the server does not store messages; an earlier attempt may have stored this one.
            NoAnswer, NoResponder, NotSent, WrongLastSequence, APIError: as `publish`.
        """
        interruptions, was_connected = self._connection.interruptions, self._connection.is_connected
        wait_s = min(timeout_s, FAILING_ATTEMPT_S) if self._is_failing() else timeout_s
        try:
            seq = await self._publish(subject, payload, headers, timeout_s=wait_s)
        except StorageFailed as error:
            self._failed(error, silent=False)
            raise
        except (NoResponder, NotSent):
            raise
        except NoAnswer:
            answers = was_connected and not self._replicated and await self._answers(subject)
            if not answers or self._connection.interruptions != interruptions:
                raise
            raise self._failed(StorageFailed(SILENT), silent=True) from None
        self.works()
        return seq

    async def store_or_confirm_failure(
        self, subject: str, payload: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> int:
        """As `store`, but a failure counts only if the next attempt fails, too: one message may get lost."""
        try:
            return await self.store(subject, payload, headers, timeout_s=timeout_s)
        except StorageFailed:
            return await self.store(subject, payload, headers, timeout_s=timeout_s)

    def works(self) -> None:
        """Forget the failure: a message was stored."""
        self._failure, self._last_seq = None, None

    async def problem(self, last_seq: int) -> str | None:
        """Return the storage error; None if there is none or it has passed. `last_seq` is the stream's.

        It has passed when the stream has grown, or when a limit was reached and another stream of the server
        stores a message again.

        Raises:
            NoAnswer: NATS did not answer.
        """
        if not self._is_failing():
            return None
        self._last_seq = last_seq if self._last_seq is None else self._last_seq
        if last_seq > self._last_seq or await self._stores_again():
            self.works()
        return str(self._failure) if self._failure else None

    def _failed(self, error: StorageFailed, *, silent: bool) -> StorageFailed:
        self._failure, self._is_silent = error, silent
        self._interruptions = self._connection.interruptions
        return error

    def _is_failing(self) -> bool:
        if self._interruptions != self._connection.interruptions:
            self.works()
        return self._failure is not None

    async def _answers(self, subject: str) -> bool:
        with suppress(WrongLastSequence):
            await publish(self._connection, subject, b"", IMPOSSIBLE)
        return True

    async def _stores_again(self) -> bool:
        if self._is_silent:
            return False
        with suppress(StorageFailed):
            await publish(self._connection, PROBE, b"", {})
            return True
        return False
