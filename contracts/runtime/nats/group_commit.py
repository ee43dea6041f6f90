"""Stores many messages by one sync of the disk instead of one each (group commit).

JetStream syncs the disk before it acknowledges a message, and once for all messages of an atomic batch
(ADR-50, from nats-server 2.15). So messages are sent one by one while few are unanswered. Beyond that they
wait, and are sent together. A batch is stored as a whole or not at all. If the server refuses one, its
messages are sent one by one, and each gets the answer that it would have got alone.

Within a batch nats-server (seen with 2.15) checks only the first of several messages with the same lock, and
stores the others, too. So no two messages of a batch have the same lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import structlog
from nats.js.errors import APIError

from contracts.core.event import Json
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.publish import EXPECTED_LAST, acknowledged
from contracts.runtime.nats.retry import NoAnswer, NotSent

logger = structlog.get_logger(__name__)

MIN_BATCH = 32
"""Number of messages from which a batch is faster. It takes about 7 ms longer than its messages, and each of
those 0.05 ms instead of 0.4 ms."""
MAX_BATCH = 500
"""Maximum number of messages in a batch. The server allows 1,000."""
MAX_BATCH_BYTES = 1024 * 1024
"""Maximum size of the payloads in a batch of several messages."""
NEARLY_IDLE = 8
"""Number of unanswered messages at which those that wait are sent, so that the server has work meanwhile."""
BATCHES_DISABLED = 10174
"""JetStream's error code for a stream without `allow_atomic`."""
STOPPING = "the process is stopping"
RETRY_BATCHES_AFTER_S = 60.0
"""Seconds after which a stream without batches is tried again. An operator may have allowed them."""


class BatchesUnsupported(Exception):
    """The stream, or its server, does not support batches."""


@dataclass(slots=True, eq=False)
class _Message:
    subject: str
    payload: bytes
    headers: Mapping[str, str]
    timeout_s: float
    interruptions: int
    """Interruptions of the connection before it was given to be published."""
    seq: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Its stream sequence when it is stored."""

    @property
    def lock(self) -> str:
        """The subject, with wildcards, whose last sequence the server compares with the expected one."""
        return self.headers.get(f"{EXPECTED_LAST}-Subject", self.subject)

    def stored(self, seq: int) -> None:
        if not self.seq.done():
            self.seq.set_result(seq)

    def fail(self, error: Exception) -> None:
        if not self.seq.done():
            self.seq.set_exception(error)


class GroupCommit:
    """Publishes to one stream."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unanswered = 0
        self._waiting: list[_Message] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._batches_from = 0.0
        """Time of the event loop before which no batch is sent."""

    async def publish(
        self, subject: str, payload: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> int:
        """Store one message, by itself or in a batch; returns its stream sequence.

        `timeout_s` begins when it is sent. It may be stored although the caller was cancelled.

        Raises:
            NotSent: the connection was interrupted, or the server did not answer others, before it was sent.
            NoAnswer: no acknowledgement; the message may be stored.
            NoResponder, WrongLastSequence, StorageFailed, APIError, Denied, Unavailable: as `acknowledged`.
        """
        message = _Message(subject, payload, headers, timeout_s, self._connection.interruptions)
        if self._waiting or (self._unanswered >= MIN_BATCH and self._has_batches()):
            self._waiting.append(message)
            return await message.seq
        self._unanswered += 1
        try:
            return await self._publish(message)
        except NoAnswer as error:
            self._no_answer(error)
            raise
        finally:
            self._answered(1)

    def _has_batches(self) -> bool:
        return asyncio.get_running_loop().time() >= self._batches_from

    def _no_answer(self, error: NoAnswer) -> None:
        """Fail the messages that wait, so that their writers know how the server is, and try again."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.fail(NotSent(f"not sent, since NATS did not answer others: {error}"))

    def _answered(self, count: int) -> None:
        self._unanswered -= count
        while self._waiting and (self._unanswered <= NEARLY_IDLE or not self._has_batches()):
            self._send(self._take())

    def _take(self) -> list[_Message]:
        """Remove the messages for the next batch from those that wait. Messages with one lock go in turn."""
        taken: dict[str, _Message] = {}
        left: list[_Message] = []
        size = 0
        for one in self._waiting:
            fits = len(taken) < MAX_BATCH and size + len(one.payload) <= MAX_BATCH_BYTES
            if one.lock in taken or (taken and not fits):
                left.append(one)
            else:
                taken[one.lock] = one
                size += len(one.payload)
        self._waiting = left
        return [one for one in taken.values() if not one.seq.done()]

    def _send(self, messages: Sequence[_Message]) -> None:
        self._unanswered += len(messages)
        if len(messages) >= MIN_BATCH and self._has_batches():
            self._start(self._send_batch(messages))
        else:
            self._send_each(messages)

    def _send_each(self, messages: Sequence[_Message]) -> None:
        for one in messages:
            self._start(self._send_alone(one))

    async def _send_alone(self, message: _Message) -> None:
        try:
            if not message.seq.done():
                message.stored(await self._publish(message))
        except Exception as error:
            message.fail(error)
            if isinstance(error, NoAnswer):
                self._no_answer(error)
        finally:
            message.fail(NoAnswer(STOPPING))
            self._answered(1)

    async def _send_batch(self, messages: Sequence[_Message]) -> None:
        try:
            last = await self._publish_batch(messages)
        except NoAnswer as error:
            self._no_answer(error)
            self._end(messages, error)
        except Exception as error:
            if isinstance(error, BatchesUnsupported):
                logger.info("messages are stored one by one", reason=str(error))
                self._batches_from = asyncio.get_running_loop().time() + RETRY_BATCHES_AFTER_S
            self._send_each(messages)
        except BaseException:
            self._end(messages, NoAnswer(STOPPING))
            raise
        else:
            for seq, one in enumerate(messages, last - len(messages) + 1):
                one.stored(seq)
            self._answered(len(messages))

    def _end(self, messages: Sequence[_Message], error: Exception) -> None:
        for one in messages:
            one.fail(error)
        self._answered(len(messages))

    async def _publish_batch(self, messages: Sequence[_Message]) -> int:
        """Store all messages; returns the sequence of the last one. Only that one is acknowledged.

        Raises:
            BatchesUnsupported: none or some of the messages are stored.
            NoAnswer: all messages are stored, or none.
            WrongLastSequence, StorageFailed, APIError, Denied, Unavailable: no message is stored.
        """
        batch = uuid4().hex
        *others, last = (
            {**one.headers, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(n)}
            for n, one in enumerate(messages, 1)
        )
        for one, headers in zip(messages, others, strict=False):
            await self._connection.publish(one.subject, one.payload, headers=headers)
        timeout_s = max(one.timeout_s for one in messages)
        try:
            ack = await self._acknowledged(messages[-1], last | {"Nats-Batch-Commit": "1"}, timeout_s)
        except APIError as error:
            if error.err_code == BATCHES_DISABLED:
                raise BatchesUnsupported(error.description) from error
            raise
        if ack.get("count") != len(messages):  # the server has ignored the headers and stored each by itself
            raise BatchesUnsupported("nats-server is older than 2.12")
        return int(ack["seq"])

    async def _publish(self, message: _Message) -> int:
        return int((await self._acknowledged(message, message.headers, message.timeout_s))["seq"])

    async def _acknowledged(
        self, message: _Message, headers: Mapping[str, str], timeout_s: float
    ) -> Mapping[str, Json]:
        if message.interruptions != self._connection.interruptions:  # the log may be another one now
            raise NotSent("the connection to NATS was interrupted")
        return await acknowledged(
            self._connection, message.subject, message.payload, headers, timeout_s=timeout_s
        )

    def _start(self, sending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(sending)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
