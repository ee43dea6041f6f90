"""How far a durable consumer has come, kept beside it: one that is lost goes on there, not at the beginning.

A consumer may be deleted by an operator, or dropped by a server that finds its state file damaged.
"""

from __future__ import annotations

from contextlib import suppress

import orjson
import structlog
from nats.js.errors import APIError, NotFoundError

from contracts.core.event import Json
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.leader import last_of
from contracts.runtime.nats.publish import publish
from contracts.runtime.nats.retry import NoAnswer

logger = structlog.get_logger(__name__)

BUCKET = "positions"
START = ("deliver_policy", "opt_start_seq", "opt_start_time")
"""What a consumer's configuration says of where it begins. It cannot be changed."""
_BUCKET_STREAM = f"KV_{BUCKET}"


class Position:
    """Of the consumer `durable` on `stream`; any number of processes may keep it."""

    def __init__(self, connection: Connection, stream: str, durable: str) -> None:
        self._connection = connection
        self._stream = stream
        self._durable = durable
        self._subject = f"$KV.{BUCKET}.{stream}-{durable}"
        self._saved = 0

    async def start(self, beginning: dict[str, Json]) -> dict[str, Json]:
        """Where the consumer begins, as its configuration says it: one that exists keeps what it has.

        `beginning` is where it begins when it has never been there.

        Raises:
            NoAnswer: NATS did not answer.
            NotFoundError: there is no such stream.
        """
        with suppress(NotFoundError):
            config = (await self._info())["config"]
            return {key: config[key] for key in START if key in config}
        seq = await self._known()
        if not seq:
            return beginning
        logger.warning("the consumer is gone; it is made again", consumer=self._durable, after=seq)
        return {"deliver_policy": "by_start_sequence", "opt_start_seq": seq + 1}

    async def save(self) -> None:
        """Keep the position up to which everything is settled. Never fails: what is kept may be behind."""
        with suppress(NoAnswer, APIError):
            seq = int((await self._info())["ack_floor"]["stream_seq"])
            if seq > self._saved:
                kept = {"seq": seq, "created": (await self._stream_info())["created"]}
                await publish(self._connection, self._subject, orjson.dumps(kept), {})
                self._saved = seq

    async def _known(self) -> int:
        """The position that was kept, 0 where it is not one of this stream."""
        kept = await last_of(self._connection, _BUCKET_STREAM, self._subject)
        stream = await self._stream_info()
        if kept is None:
            return 0
        position = orjson.loads(kept.payload)
        same = position["created"] == stream["created"] and position["seq"] <= stream["state"]["last_seq"]
        return int(position["seq"]) if same else 0

    async def _info(self) -> dict[str, Json]:
        return await self._connection.api(f"CONSUMER.INFO.{self._stream}.{self._durable}")

    async def _stream_info(self) -> dict[str, Json]:
        return await self._connection.api(f"STREAM.INFO.{self._stream}")
