"""One durable consumer on one stream: delivers messages to a handler and acknowledges them.

No other module sends acks, naks or terms.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from nats.aio.msg import Msg

from contracts.core.commit import Recorded
from contracts.core.event import Json
from contracts.core.outcome import Retry
from contracts.core.subjects import STREAM
from contracts.core.unread import UnreadHistory
from contracts.runtime.consumer.delivery import (
    EXPECTED,
    Delivery,
    DeliveryPolicy,
    Done,
    Ignore,
    Park,
    Redeliver,
    Settlement,
    verdict,
)
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.consumer.leases import SIGNS_OF_LIFE, Leases
from contracts.runtime.consumer.parking import LOG_SUBJECT, Parked, as_json, park
from contracts.runtime.consumer.position import Position
from contracts.runtime.log import Unavailable
from contracts.runtime.nats.pull import EXPIRES_S, DeliveryInfo, Pull
from contracts.runtime.nats.retry import NoAnswer
from contracts.runtime.nats_log import NatsLog

logger = structlog.get_logger(__name__)

Handler = Callable[[Recorded, Delivery], Awaitable[None]]
GivenUp = Callable[[Recorded, BaseException], Awaitable[None]]
"""Called with each parked message and the error. If it raises, the message is delivered again."""

ACK = b"+ACK"
TERM = b"+TERM"
IN_PROGRESS = b"+WPI"

MESSAGES = {
    Park: "parked a message",
    Redeliver: "a message will be delivered again",
    Ignore: "lost a message to another process",
}
"""Log message for each outcome after an error."""


@dataclass(frozen=True)
class Source:
    """The consumer to read, and how many messages to handle at once."""

    stream: str
    durable: str
    filters: Sequence[str]
    at_once: int


def nak(after_s: float) -> bytes:
    """The payload that requests redelivery after `after_s` seconds."""
    return b'-NAK {"delay": %d}' % int(after_s * 1_000_000_000)


class Subscription:
    """Delivers each message of `source` to `handler` and settles it."""

    def __init__(
        self,
        log: NatsLog,
        source: Source,
        handler: Handler,
        policy: DeliveryPolicy,
        lease: Lease,
        leases: Leases | None,
        given_up: GivenUp | None,
    ) -> None:
        self._log = log
        self._source = source
        self._handler = handler
        self._given_up = given_up
        self._policy = policy
        self._lease = lease
        self._leases = leases
        self._made: str | None = None
        """Creation time of the consumer. It differs if the consumer was lost and created again."""
        self._log_end = 0
        """Last sequence of the log when this process first saw that consumer."""
        self._held: dict[int, Delivery] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False
        self._position = Position(log.connection, source.stream, source.durable)
        # The server must not redeliver messages to the silent process that lost them, so pull requests expire
        # before the lease does.
        expires_s = min(EXPIRES_S, policy.ack_wait_s * (1 - 1 / SIGNS_OF_LIFE))
        self._pull = Pull(
            log.connection, source.stream, self._ensure, self._receive, self._room, expires_s=expires_s
        )

    async def run(self) -> None:
        """Receive messages until cancelled. Call `drain` afterwards."""
        await self._pull.run()

    def stop(self) -> None:
        """Return messages that still arrive."""
        self._draining = True

    async def drain(self) -> None:
        """Let handlers finish for `grace_s`, then cancel them. Unfinished messages are returned at once."""
        if self._tasks and self._policy.grace_s:
            await asyncio.wait(self._tasks, timeout=self._policy.grace_s)
        await asyncio.sleep(0)  # a task that never began would not send its message back
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def save_position(self) -> None:
        """Store the position of the consumer, in case the server loses the consumer."""
        await self._position.save()

    async def keep_alive(self) -> bool:
        """Send a sign of life for all held messages. Returns whether the server has confirmed it."""
        held = tuple(self._held.values())
        for number, delivery in enumerate(held[:-1]):
            await self._send(delivery.ack_subject, IN_PROGRESS)
            if number % 100 == 0:
                await asyncio.sleep(0)  # let other tasks run: there may be thousands of messages
        return not held or await self._is_confirmed(held[-1])

    async def _is_confirmed(self, last: Delivery) -> bool:
        """Send the sign of life for the last message as a request, which the server answers."""
        try:
            await self._log.connection.request(last.ack_subject, IN_PROGRESS)
        except (NoAnswer, Unavailable):
            return False
        return True

    def _room(self) -> int:
        return 0 if self._draining else self._source.at_once - len(self._held)

    async def _ensure(self) -> str:
        name = self._source.durable
        config = {
            "durable_name": name,
            "name": name,
            "filter_subjects": list(self._source.filters),
            "ack_policy": "explicit",
            "ack_wait": int(self._policy.ack_wait_s * 1_000_000_000),
            "max_ack_pending": -1,
            "max_deliver": -1,
            **await self._position.start(self._beginning()),
        }
        body = {"stream_name": self._source.stream, "config": config}
        info = await self._log.connection.api(f"CONSUMER.CREATE.{self._source.stream}.{name}", body)
        if info["created"] != self._made and self._source.stream == STREAM:
            state = (await self._log.connection.api(f"STREAM.INFO.{STREAM}"))["state"]
            self._made, self._log_end = info["created"], int(state["last_seq"])
        return name

    def _beginning(self) -> dict[str, Json]:
        """Where a new consumer starts."""
        if self._policy.since is None or self._source.stream != STREAM:
            return {"deliver_policy": "all"}
        # A whole day, so that two processes that create the consumer at once use the same configuration.
        day = (datetime.now(UTC) - self._policy.since).date()
        return {"deliver_policy": "by_start_time", "opt_start_time": f"{day}T00:00:00Z"}

    def _receive(self, msg: Msg) -> None:
        info = DeliveryInfo.of(msg.reply)
        if self._leases:
            self._leases.add(msg.reply)
        if held := self._held.get(info.seq):
            # The server redelivered it. Its handler continues, and settles the newest delivery.
            if self._leases:
                self._leases.remove(held.ack_subject)
            held.ack_subject, held.attempt = msg.reply, info.attempt
            return
        of_log = self._source.stream == STREAM
        seq = info.seq if of_log else int(msg.subject.rpartition(".")[2])
        is_new = of_log and info.attempt == 1 and seq > self._log_end
        delivery = self._held[info.seq] = Delivery(seq, info.attempt, msg.reply, self._lease, is_new)
        task = asyncio.create_task(self._work(msg, info.seq, delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, msg: Msg, key: int, delivery: Delivery) -> None:
        error: BaseException | None = None
        recorded: Recorded | None = None
        try:
            if self._draining:
                raise asyncio.CancelledError
            recorded = await self._log.recorded(delivery.seq, _subject_of(msg), msg.data, msg.headers or {})
            await self._handler(recorded, delivery)
        except asyncio.CancelledError as raised:
            error = raised if self._draining else RuntimeError("the handler was cancelled unexpectedly")
        except Exception as raised:
            error = raised
        try:
            outcome = verdict(error, delivery.attempt, self._policy)
            if isinstance(outcome, Park) and error is not None:
                outcome = await self._give_up(msg, delivery, recorded, error)
            await self._settle(delivery, outcome, error)
        finally:
            del self._held[key]
            if self._leases:
                self._leases.remove(delivery.ack_subject)
            self._pull.room_changed()

    async def _give_up(
        self, msg: Msg, delivery: Delivery, recorded: Recorded | None, error: BaseException
    ) -> Settlement:
        """Park the message and call `given_up`. If that fails, the message is delivered again."""
        try:
            await park(self._log.connection, self._parked(msg, delivery, error), delivery=self._key(msg))
            if self._given_up and recorded:
                await self._given_up(recorded, error)
        except Retry as later:
            return verdict(later, delivery.attempt, self._policy)
        except UnreadHistory as unread:
            logger.warning("could not record that a message is parked", seq=delivery.seq, error=str(unread))
        except Exception as trouble:
            logger.warning(
                "giving up a message failed; it will be delivered again", seq=delivery.seq, error=str(trouble)
            )
            return Redeliver(self._policy.backoff(delivery.attempt))
        return Park()

    async def _settle(self, delivery: Delivery, outcome: Settlement, error: BaseException | None) -> None:
        self._log_failure(delivery, outcome, error)
        match outcome:
            case Done():
                await self._send(delivery.ack_subject, ACK)
            case Park():
                await self._send(delivery.ack_subject, TERM)
            case Redeliver(after_s=delay):
                await self._send(delivery.ack_subject, nak(delay))
            case Ignore():
                pass

    async def _send(self, ack_subject: str, word: bytes) -> None:
        with contextlib.suppress(NoAnswer):  # then it is delivered again; all handlers support that
            await self._log.connection.publish(ack_subject, word)

    def _log_failure(self, delivery: Delivery, outcome: Settlement, error: BaseException | None) -> None:
        if error is None or isinstance(error, asyncio.CancelledError):
            return
        logger.warning(
            MESSAGES[type(outcome)],
            consumer=self._source.durable,
            seq=delivery.seq,
            attempt=delivery.attempt,
            error=str(error) or type(error).__name__,
            exc_info=None if isinstance(error, EXPECTED) else error,
        )

    def _key(self, msg: Msg) -> str:
        return f"{self._source.stream}.{self._source.durable}.{DeliveryInfo.of(msg.reply).seq}"

    def _parked(self, msg: Msg, delivery: Delivery, error: BaseException) -> Parked:
        return Parked(
            consumer=self._source.durable,
            seq=delivery.seq,
            subject=_subject_of(msg),
            reason=str(error),
            error=type(error).__name__,
            attempt=delivery.attempt,
            time=datetime.now(UTC),
            payload=as_json(msg.data),
        )


def _subject_of(msg: Msg) -> str:
    """The subject of a message in the log, also of one that is sent again."""
    return (msg.headers or {}).get(LOG_SUBJECT, msg.subject)
