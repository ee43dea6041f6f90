"""Keeps pull requests open on one JetStream consumer, so that new messages arrive at once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import orjson
import structlog
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError, ServerError

from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.replies import Sink, description_of, status_of
from contracts.runtime.nats.retry import FIRST_PAUSE_S, GaveUp, NoAnswer, pauses

logger = structlog.get_logger(__name__)

EXPIRES_S = 30.0
"""Seconds until a pull request expires."""
SHORTEST = 0.75
"""Part of `expires_s` after which a request may expire. The server rejects a heartbeat above half of it."""
HEARTBEAT_S = 5.0
MAX_BYTES = 16 * 1024 * 1024
"""Maximum size of the messages for one request. It limits the server's send buffer for this client."""

HEARTBEAT = "100"
REQUEST_OVER = ("404", "408")
SPENT = ("Batch Completed", "Message Size Exceeds MaxBytes")
"""Descriptions of status 409 that end only the request, not the consumer."""


class DeliveryInfo(NamedTuple):
    """The numbers in the ack subject of a delivered message."""

    attempt: int
    """1 on the first delivery."""
    seq: int
    """Sequence in the stream."""
    delivery: int
    """Number of the delivery in the consumer: 1, 2, 3 … without gaps."""
    pending: int
    """Number of messages that are not delivered yet."""

    @classmethod
    def of(cls, ack_subject: str) -> DeliveryInfo:
        """Parse `$JS.ACK.[domain.account.]stream.consumer.attempt.seq.delivery.time.pending`."""
        tokens = ack_subject.split(".")
        first = 4 if len(tokens) == _PLAIN_TOKENS else 6
        attempt, seq, delivery, _, pending = map(int, tokens[first : first + 5])
        return cls(attempt, seq, delivery, pending)


_PLAIN_TOKENS = 9


class Pull:
    """Receives messages from one consumer, and restarts after every interruption.

    `create` creates the consumer if it does not exist and returns its name. `receive` is called with each
    message, in the read loop. `room` returns how many messages may be requested at the moment. If this
    process stops responding, the server sends no more messages after `expires_s` seconds.

    The server gives a message to the oldest request. Requests expire after different times, because those
    of two processes would otherwise stay in the same order, and one of them would get every single message.
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
        self._heartbeat_s = min(HEARTBEAT_S, expires_s / 3)
        self._wake = asyncio.Event()
        self._asked = 0
        self._heard = 0.0
        self._trouble: str | None = None

    async def run(self) -> None:
        """Receive messages until cancelled."""
        with self._connection.on_interruption(self._interrupted):
            while True:
                consumer = await self._created()
                self._asked, self._heard = 0, asyncio.get_running_loop().time()
                inbox = self._connection.nc.new_inbox()
                subscription = await self._connection.nc.subscribe(inbox, future=Sink(self._on_message))
                try:
                    await self._flow(f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{consumer}", inbox)
                finally:
                    await self._connection.leave(subscription)
                logger.info("pull requests failed; restarting", consumer=consumer, reason=self._trouble)
                await asyncio.sleep(FIRST_PAUSE_S)

    def room_changed(self) -> None:
        """Notify that the result of `room` has grown."""
        if self._needs_request():
            self._wake.set()

    def fail(self, reason: str) -> None:
        """Restart: create the consumer again and send new pull requests."""
        self._trouble = reason
        self._wake.set()

    def _interrupted(self) -> None:
        self.fail("the connection was interrupted")

    async def _created(self) -> str:
        for pause in pauses():
            self._trouble = None  # an interruption while it is created counts: the stream may be another one
            try:
                return await self._create()
            except (NoAnswer, GaveUp, NotFoundError, ServerError) as error:
                # While a cluster starts, some of its streams are not available yet.
                logger.info("waiting for NATS", stream=self._stream, reason=str(error))
                await asyncio.sleep(pause)
        raise AssertionError("pauses() is infinite")

    async def _flow(self, subject: str, inbox: str) -> None:
        loop = asyncio.get_running_loop()
        while self._trouble is None:
            self._wake.clear()
            await self._request_more(subject, inbox)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_s):
                    await self._wake.wait()
            if self._asked and loop.time() - self._heard > 2.5 * max(self._heartbeat_s, 1.0):
                self._trouble = "no heartbeat"

    def _needs_request(self) -> bool:
        room = self._room()
        return self._asked <= room // 2 and self._asked < room

    async def _request_more(self, subject: str, inbox: str) -> None:
        if not self._needs_request():
            return
        count = self._room() - self._asked
        request = {
            "batch": count,
            "max_bytes": MAX_BYTES,
            "expires": int(self._expires_s * random.uniform(SHORTEST, 1) * 1_000_000_000),
            "idle_heartbeat": int(self._heartbeat_s * 1_000_000_000),
        }
        if self._asked == 0:
            self._heard = asyncio.get_running_loop().time()
        self._asked += count
        try:
            await self._connection.publish(subject, orjson.dumps(request), reply=inbox)
        except NoAnswer as error:
            self.fail(str(error))

    def _on_message(self, msg: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        status = status_of(msg)
        if status is None or not msg.headers:
            self._asked -= 1
            self._receive(msg)
        elif status in REQUEST_OVER or (status == "409" and description_of(msg) in SPENT):
            self._asked = max(0, self._asked - int(msg.headers.get("Nats-Pending-Messages", 0)))
        elif status != HEARTBEAT:
            self.fail(description_of(msg).strip() or f"status {status}")
        self.room_changed()
