"""Reads a stream in order from a position, without gaps, across interruptions of the connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from nats.aio.msg import Msg

from contracts.core.ids import new_id
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.pull import DeliveryInfo, Pull
from contracts.runtime.nats.retry import NoAnswer

AHEAD = 2000
"""Maximum number of messages that are requested or buffered."""
BATCH = 500
"""Maximum number of messages in one batch."""
FORGOTTEN_AFTER_S = 60
"""Seconds without a pull request after which the server removes the consumer."""


class Ordered:
    """The messages of `stream` on subjects matching `filters` with a sequence above `after`.

    `check` is called before each consumer is created. If it raises, reading ends with that error.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        filters: Sequence[str],
        after: int,
        check: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._filters = list(filters)
        self._last = after
        self._check = check
        self._delivered = 0
        self._consumer: str | None = None
        self._waiting: list[tuple[DeliveryInfo, Msg]] = []
        self._arrived = asyncio.Event()
        self._pull = Pull(connection, stream, self._create, self._receive, self._room)

    async def batches(self) -> AsyncGenerator[Sequence[tuple[DeliveryInfo, Msg]]]:
        """Yield batches of one or more messages as they arrive; each message once, in order. Never ends."""
        pulling = asyncio.create_task(self._pull.run())
        pulling.add_done_callback(lambda _: self._arrived.set())
        try:
            while True:
                await self._arrived.wait()
                if pulling.done():
                    pulling.result()
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                if not self._waiting:
                    self._arrived.clear()
                self._pull.room_changed()
                yield batch
        finally:
            pulling.cancel()
            await asyncio.wait([pulling])
            await self._remove()

    def _room(self) -> int:
        return AHEAD - len(self._waiting)

    async def _create(self) -> str:
        await self._remove()
        if self._check:
            await self._check()
        name = new_id("ordered-")
        config = {
            "name": name,
            "filter_subjects": self._filters,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._last + 1,
            "ack_policy": "none",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": FORGOTTEN_AFTER_S * 1_000_000_000,
        }
        body = {"stream_name": self._stream, "config": config, "action": "create"}
        await self._connection.api(f"CONSUMER.CREATE.{self._stream}.{name}", body)
        self._consumer, self._delivered = name, 0
        return name

    async def _remove(self) -> None:
        if self._consumer:
            with contextlib.suppress(NoAnswer):
                await self._connection.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._consumer}")
            self._consumer = None

    def _receive(self, msg: Msg) -> None:
        info = DeliveryInfo.of(msg.reply)
        if info.delivery != self._delivered + 1:
            self._pull.fail(f"delivery {self._delivered + 1} is missing")
            return
        self._delivered, self._last = info.delivery, info.seq
        self._waiting.append((info, msg))
        self._arrived.set()
