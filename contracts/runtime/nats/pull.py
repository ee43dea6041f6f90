"""Pull requests kept outstanding on one JetStream consumer, so that a new message arrives at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import orjson
import structlog
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError, ServerError

from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.replies import Sink, description_of, status_of
from contracts.runtime.nats.retry import FIRST_PAUSE_S, NoAnswer, pauses

logger = structlog.get_logger(__name__)

EXPIRES_S = 30.0
"""After this a request that nobody renews gets no more messages."""
HEARTBEAT_S = 5.0
MAX_BYTES = 16 * 1024 * 1024
"""Of one request: keeps the server from filling its buffer for us with large messages."""

HEARTBEAT = "100"
REQUEST_OVER = ("404", "408")
SPENT = ("Batch Completed", "Message Size Exceeds MaxBytes")
"""Descriptions of status 409 that end one request and leave the consumer as it is."""


class DeliveryInfo(NamedTuple):
    """Where a delivered message stands, as its ack subject tells."""

    attempt: int
    """1 on the first delivery."""
    seq: int
    """In the stream."""
    delivery: int
    """In the consumer: 1, 2, 3 … without gaps."""
    pending: int
    """Messages that follow."""

    @classmethod
    def of(cls, ack_subject: str) -> DeliveryInfo:
        """Read `$JS.ACK.[domain.account.]stream.consumer.attempt.seq.delivery.time.pending`."""
        tokens = ack_subject.split(".")
        first = 4 if len(tokens) == _PLAIN_TOKENS else 6
        attempt, seq, delivery, _, pending = map(int, tokens[first : first + 5])
        return cls(attempt, seq, delivery, pending)


_PLAIN_TOKENS = 9


class Pull:
    """A flow of messages from one consumer, made again whenever it breaks.

    `create` makes the consumer, or makes sure it is there, and gives its name; `receive` gets each message,
    within the read loop; `room` says how many messages may be on their way right now. Messages stop within
    `expires_s` seconds of the moment in which this process falls silent.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        create: Callable[[], Awaitable[str]],
        receive: Callable[[Msg], None],
        room: Callable[[], int],
        *,
        expires_s: float = EXPIRES_S,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._create = create
        self._receive = receive
        self._room = room
        self._expires_s = expires_s
        self._heartbeat_s = min(HEARTBEAT_S, expires_s / 3)  # the server refuses more than half of it
        self._wake = asyncio.Event()
        self._asked = 0
        self._heard = 0.0
        self._trouble: str | None = None

    async def run(self) -> None:
        """Keep it flowing until cancelled."""
        with self._connection.on_interruption(self._interrupted):
            while True:
                consumer = await self._created()
                self._asked, self._trouble, self._heard = 0, None, asyncio.get_running_loop().time()
                inbox = self._connection.nc.new_inbox()
                subscription = await self._connection.nc.subscribe(inbox, future=Sink(self._arrived))
                try:
                    await self._flow(f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{consumer}", inbox)
                finally:
                    await self._connection.leave(subscription)
                logger.info("messages stopped; asking anew", consumer=consumer, reason=self._trouble)
                await asyncio.sleep(FIRST_PAUSE_S)

    def more_room(self) -> None:
        """Say that `room` has grown."""
        if self._wants_more():
            self._wake.set()

    def fail(self, reason: str) -> None:
        """End this flow and begin another, with the consumer made again."""
        self._trouble = reason
        self._wake.set()

    def _interrupted(self) -> None:
        self.fail("the connection broke")

    async def _created(self) -> str:
        for pause in pauses():
            try:
                return await self._create()
            except (NoAnswer, NotFoundError, ServerError) as error:
                # A cluster that is starting does not know all its streams yet.
                logger.info("waiting for NATS", stream=self._stream, reason=str(error))
                await asyncio.sleep(pause)
        raise AssertionError("pauses have no end")

    async def _flow(self, subject: str, inbox: str) -> None:
        loop = asyncio.get_running_loop()
        while self._trouble is None:
            self._wake.clear()
            await self._ask_for_more(subject, inbox)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_s):
                    await self._wake.wait()
            if self._asked and loop.time() - self._heard > 2.5 * max(self._heartbeat_s, 1.0):
                self._trouble = "no heartbeat"

    def _wants_more(self) -> bool:
        room = self._room()
        return self._asked <= room // 2 and self._asked < room

    async def _ask_for_more(self, subject: str, inbox: str) -> None:
        if not self._wants_more():
            return
        count = self._room() - self._asked
        request = {
            "batch": count,
            "max_bytes": MAX_BYTES,
            "expires": int(self._expires_s * 1_000_000_000),
            "idle_heartbeat": int(self._heartbeat_s * 1_000_000_000),
        }
        if self._asked == 0:
            self._heard = asyncio.get_running_loop().time()
        self._asked += count
        try:
            await self._connection.publish(subject, orjson.dumps(request), reply=inbox)
        except NoAnswer as error:
            self.fail(str(error))

    def _arrived(self, msg: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        status = status_of(msg)
        if status is None or not msg.headers:
            self._asked -= 1
            self._receive(msg)
        elif status in REQUEST_OVER or (status == "409" and description_of(msg) in SPENT):
            self._asked = max(0, self._asked - int(msg.headers.get("Nats-Pending-Messages", 0)))
        elif status != HEARTBEAT:
            self.fail(description_of(msg).strip() or f"status {status}")
        self.more_room()
