"""Durable consumers of the log: each commit on some subjects is delivered to a handler until it is settled.

- The handler returns: the message is acknowledged.
- It raises Retry: the message is delivered again later.
- It raises Reject: the message is parked. An operator can send it again.
- It raises any other exception: the message is delivered again with back-off, and parked after `max_deliver`
  deliveries.

Several processes may share a consumer's name. Each message is delivered to one of them at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from contracts.core.subjects import REPLAY_STREAM, STREAM, replay_filter
from contracts.runtime.consumer.delivery import DeliveryPolicy
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.consumer.leases import SIGNS_OF_LIFE, Leases
from contracts.runtime.consumer.subscription import GivenUp, Handler, Source, Subscription, nak
from contracts.runtime.nats_log import NatsLog

REPLAYS_AT_ONCE = 1
TAKE_OVER_AFTER_S = 0.02
"""Seconds until the messages of a dead process are delivered again. By then the server has noticed that the
process has ended, and does not deliver them to it."""


class Consumer:
    """A worker that delivers the commits on `filters`, and those that operators send again, to `handler`.

    It calls `given_up` for each message that it parks, so that the failure can be recorded.
    """

    def __init__(
        self,
        log: NatsLog,
        name: str,
        filters: Sequence[str],
        handler: Handler,
        *,
        policy: DeliveryPolicy | None = None,
        leases: Leases | None = None,
        given_up: GivenUp | None = None,
    ) -> None:
        self._log = log
        self._policy = policy or DeliveryPolicy()
        self._leases = leases
        sources = (
            Source(STREAM, name, filters, self._policy.max_in_flight),
            Source(REPLAY_STREAM, name, (replay_filter(name),), REPLAYS_AT_ONCE),
        )
        self._lease = Lease(self._policy.ack_wait_s)
        self._subscriptions = [
            Subscription(log, source, handler, self._policy, self._lease, leases, given_up)
            for source in sources
        ]

    async def run(self) -> None:
        """Consume until cancelled. Then let handlers finish for `grace_s`, and return unfinished messages."""
        await self._take_over()
        running = [asyncio.create_task(subscription.run()) for subscription in self._subscriptions]
        alive = [asyncio.create_task(self._keep_alive()), asyncio.create_task(self._save_positions())]
        try:
            ended, _ = await asyncio.wait([*running, *alive], return_when=asyncio.FIRST_COMPLETED)
            await ended.pop()  # it has failed
        finally:
            for subscription in self._subscriptions:
                subscription.stop()
            await _cancelled(running)
            await asyncio.gather(*(subscription.drain() for subscription in self._subscriptions))
            await _cancelled(alive)

    async def _take_over(self) -> None:
        """Request redelivery of the messages of dead processes on this host, without waiting `ack_wait_s`."""
        if self._leases:
            for ack_subject in self._leases.take_over(lease_s=self._policy.ack_wait_s):
                await self._log.connection.publish(ack_subject, nak(TAKE_OVER_AFTER_S))

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._policy.ack_wait_s / SIGNS_OF_LIFE)
            await self._log.connection.connected()
            began = self._lease.clock()
            heard = [await subscription.keep_alive() for subscription in self._subscriptions]
            if all(heard):
                self._lease.renew(began)
            if self._leases:
                self._leases.touch()

    async def _save_positions(self) -> None:
        """A task of its own: waiting for an answer must not delay `_keep_alive` and lose the lease."""
        while True:
            await asyncio.sleep(self._policy.ack_wait_s / SIGNS_OF_LIFE)
            for subscription in self._subscriptions:
                await subscription.save_position()


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
