"""Stores the position of a durable consumer, so that a lost consumer continues there.

A consumer is lost if an operator deletes it, or if the server finds its state file damaged.
"""

from __future__ import annotations

from contextlib import suppress

import orjson
import structlog
from nats.js.errors import APIError, NotFoundError

from contracts.core.event import Json
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.direct import Stored
from contracts.runtime.nats.leader import last_of
from contracts.runtime.nats.publish import publish
from contracts.runtime.nats.retry import NoAnswer, NoResponder
from contracts.runtime.wire import COPIED

logger = structlog.get_logger(__name__)

BUCKET = "positions"
START = ("deliver_policy", "opt_start_seq", "opt_start_time")
"""Fields of a consumer's configuration that define where it starts. They cannot be changed."""
_BUCKET_STREAM = f"KV_{BUCKET}"


class Position:
    """The stored position of the consumer `durable` on `stream`. Several processes may store it."""

    def __init__(self, connection: Connection, stream: str, durable: str) -> None:
        self._connection = connection
        self._stream = stream
        self._durable = durable
        self._subject = f"$KV.{BUCKET}.{stream}-{durable}"
        self._saved = 0

    async def start(self, beginning: dict[str, Json]) -> dict[str, Json]:
        """The configuration fields that define where the consumer starts.

        An existing consumer keeps its fields. A lost one starts after its stored position. A new one starts
        at `beginning`.

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
        logger.warning("the consumer was lost; creating it again", consumer=self._durable, after=seq)
        return {"deliver_policy": "by_start_sequence", "opt_start_seq": seq + 1}

    async def save(self) -> None:
        """Store the sequence up to which all messages are settled. Errors are ignored: it may lag behind."""
        with suppress(NoAnswer, APIError):
            seq = int((await self._info())["ack_floor"]["stream_seq"])
            if seq > self._saved:
                kept = {"seq": seq, "created": (await self._stream_info())["created"]}
                await publish(self._connection, self._subject, orjson.dumps(kept), {})
                self._saved = seq

    async def _known(self) -> int:
        """The stored position; 0 if there is none for this stream."""
        try:
            kept = await last_of(self._connection, _BUCKET_STREAM, self._subject)
        except NoResponder:  # the bucket was deleted, and the positions with it
            return 0
        stream = await self._stream_info()
        if kept is None:
            return 0
        return _position_in(kept, stream["created"], stream["state"]["last_seq"])

    async def _info(self) -> dict[str, Json]:
        return await self._connection.api(f"CONSUMER.INFO.{self._stream}.{self._durable}")

    async def _stream_info(self) -> dict[str, Json]:
        return await self._connection.api(f"STREAM.INFO.{self._stream}")


def _position_in(message: Stored, created: str, last_seq: int) -> int:
    """The position that a consumer stored for the stream of that creation time; 0 if there is none."""
    try:
        position = orjson.loads(message.payload)
        seq, same = int(position["seq"]), position["created"] == created
    except (ValueError, KeyError, TypeError):
        return 0
    return seq if same and seq <= last_seq and COPIED not in message.headers else 0
