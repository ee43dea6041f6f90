"""Reads stored messages from the leader of a stream, which never lags behind."""

from __future__ import annotations

from base64 import b64decode

from nats.js.errors import NotFoundError

from contracts.core.event import Json
from contracts.runtime.nats.client import header_lines
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.direct import Stored
from contracts.runtime.nats.retry import NoResponder

NO_STREAM = 10059
"""JetStream's error code for a stream that does not exist."""


async def message_at(connection: Connection, stream: str, seq: int) -> Stored | None:
    """The message with sequence `seq`; None if there is none.

    Raises:
        NoAnswer: the leader does not answer, or the stream has no leader at the moment.
    """
    return await _message(connection, stream, {"seq": seq})


async def first_of(connection: Connection, stream: str, subject: str, *, after: int = 0) -> Stored | None:
    """The first message on `subject` with a sequence above `after`; None if there is none.

    Raises:
        NoAnswer: the leader does not answer, or the stream has no leader at the moment.
    """
    return await _message(connection, stream, {"seq": after + 1, "next_by_subj": subject})


async def last_of(connection: Connection, stream: str, subject: str) -> Stored | None:
    """The newest message on `subject`; None if there is none.

    Raises:
        NoAnswer: the leader does not answer, or the stream has no leader at the moment.
    """
    return await _message(connection, stream, {"last_by_subj": subject})


async def all_of(connection: Connection, stream: str, subject: str) -> list[Stored]:
    """All messages on `subject`, read one by one.

    Raises:
        NoAnswer: the leader does not answer, or the stream has no leader at the moment.
    """
    messages: list[Stored] = []
    while found := await first_of(connection, stream, subject, after=messages[-1].seq if messages else 0):
        messages.append(found)
    return messages


async def _message(connection: Connection, stream: str, request: dict[str, Json]) -> Stored | None:
    try:
        answer = await connection.api(f"STREAM.MSG.GET.{stream}", request)
    except NotFoundError as error:
        if error.err_code == NO_STREAM:
            raise NoResponder(f"the stream {stream} does not exist") from error
        return None
    message = answer["message"]
    headers = header_lines(b64decode(message.get("hdrs", "")))
    return Stored(message["seq"], message["subject"], b64decode(message.get("data", "")), headers)
