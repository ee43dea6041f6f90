"""A consumer at work, and what it has been given."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from nats.js.errors import NotFoundError

from contracts.core.commit import Recorded
from contracts.runtime.consumer.consumer import Consumer
from contracts.runtime.consumer.delivery import Delivery, DeliveryPolicy
from contracts.runtime.nats_log import NatsLog

ALL = ("evt.counter.>",)
QUICK = DeliveryPolicy(ack_wait_s=0.3, backoff_s=0.01, grace_s=0)
"""A message nobody keeps alive comes again within a test's patience."""
SLOW = DeliveryPolicy(ack_wait_s=300, backoff_s=0.01, grace_s=0)
"""A message comes again by nothing but a nak."""


@dataclass
class Handler:
    """Notes what it was given, then does as it is told."""

    behave: Callable[[Delivery], Any] = lambda _: None
    given: list[Delivery] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    commits: list[Recorded] = field(default_factory=list)

    async def __call__(self, recorded: Recorded, delivery: Delivery) -> None:
        self.given.append(delivery)
        self.attempts.append(delivery.attempt)
        self.commits.append(recorded)
        answer = self.behave(delivery)
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            await answer

    @property
    def seqs(self) -> list[int]:
        return [delivery.seq for delivery in self.given]


@asynccontextmanager
async def consuming(consumer: Consumer) -> AsyncGenerator[asyncio.Task[None]]:
    task = asyncio.create_task(consumer.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def exists(log: NatsLog) -> bool:
    with contextlib.suppress(NotFoundError):
        return bool(await log.connection.api("CONSUMER.INFO.LOG.worker"))
    return False


async def asked(log: NatsLog) -> bool:
    """Whether the consumer exists and is asked for messages. Only then is the end of the log known to it."""
    with contextlib.suppress(NotFoundError):
        return bool((await log.connection.api("CONSUMER.INFO.LOG.worker"))["num_waiting"])
    return False


async def given(handler: Handler, count: int) -> bool:
    return len(handler.given) == count


async def outstanding(log: NatsLog, name: str = "worker") -> tuple[int, int]:
    """Messages of the consumer that are not settled, and those not delivered yet."""
    info = await log.connection.api(f"CONSUMER.INFO.LOG.{name}")
    return info["num_ack_pending"], info["num_pending"]


async def settled(log: NatsLog) -> bool:
    return await outstanding(log) == (0, 0)
