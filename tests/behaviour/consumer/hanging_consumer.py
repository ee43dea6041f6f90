"""A process that takes a message and never lets go: `hanging_consumer.py <nats url> <ack wait> <leases>`."""

from __future__ import annotations

import asyncio
import runpy
import sys
from pathlib import Path

from contracts.core.commit import Recorded
from contracts.runtime.consumer.consumer import Consumer
from contracts.runtime.consumer.delivery import Delivery, DeliveryPolicy
from contracts.runtime.consumer.leases import Leases
from contracts.runtime.nats.connection import connect
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.wire import Format


async def main(url: str, ack_wait_s: str, leases: str) -> None:
    """Print the sequence of the message in hand, then wait to be killed."""
    counters = runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"))["Counters"]()

    async def handle(_: Recorded, delivery: Delivery) -> None:
        print(delivery.seq, flush=True)  # noqa: T201  the parent waits for it
        await asyncio.Event().wait()

    async with connect(url, name="hanging") as connection:
        log = NatsLog(connection, Format(counters.codec, NatsBlobs(connection)))
        policy = DeliveryPolicy(ack_wait_s=float(ack_wait_s))
        consumer = Consumer(
            log, "worker", ["evt.counter.>"], handle, policy=policy, leases=Leases(Path(leases))
        )
        await consumer.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
