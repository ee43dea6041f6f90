"""Publishes one message to a stream and waits for its acknowledgement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import orjson
from nats.js.errors import APIError

from contracts.core.event import Json
from contracts.runtime.log import StorageFailed
from contracts.runtime.nats.connection import PASSING_CODES, Connection
from contracts.runtime.nats.retry import NoAnswer

EXPECTED_LAST = "Nats-Expected-Last-Subject-Sequence"
"""Header: the expected last sequence of the subject; 0: the subject has no message. JetStream rejects the
message if it is wrong."""

WRONG_LAST_SEQUENCE = (10071, 10164, 10201)
"""JetStream's error codes for a wrong expected last sequence, or a batch with a commit that is stored."""
STORAGE_FULL = (10002, 10023, 10047, 10077)
"""JetStream's error codes for a limit of the account or the server, and for a failed write."""
CLOSED = "store closed"
"""JetStream's words, under the code of a failed write, while the server stops."""


class WrongLastSequence(Exception):
    """The last sequence of the subject is not the expected one.

    Another writer, or an earlier attempt of this one, has written to it.
    """


class Publish(Protocol):
    """Stores one message; returns its stream sequence. Waits `timeout_s` seconds for an acknowledgement.

    Raises the errors of `publish`.
    """

    async def __call__(
        self, subject: str, payload: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> int: ...


async def publish(
    connection: Connection,
    subject: str,
    payload: bytes,
    headers: Mapping[str, str],
    *,
    timeout_s: float = 2.0,
) -> int:
    """Store one message; returns its stream sequence. Raises the errors of `acknowledged`."""
    ack = await acknowledged(connection, subject, payload, headers, timeout_s=timeout_s)
    return int(ack["seq"])


async def acknowledged(
    connection: Connection, subject: str, payload: bytes, headers: Mapping[str, str], *, timeout_s: float
) -> Mapping[str, Json]:
    """Store one message; returns JetStream's acknowledgement.

    Raises:
        NoAnswer: no acknowledgement; the message may be stored.
        WrongLastSequence: the message was not stored, or an earlier attempt has stored it.
        StorageFailed: the server cannot store messages at the moment.
        APIError: the stream rejects the message.
    """
    answer = await connection.request(subject, payload, dict(headers), timeout_s=timeout_s)
    ack: dict[str, Json] = orjson.loads(answer.data)
    error = ack.get("error")
    if error is None:
        return ack
    if error.get("err_code") in WRONG_LAST_SEQUENCE:
        raise WrongLastSequence(f"{subject}: {error['description']}")
    if error.get("err_code") in STORAGE_FULL and CLOSED not in error["description"]:
        raise StorageFailed(
            f"NATS cannot store messages: {error['description']} (JetStream error {error['err_code']}); "
            "make room on its disk or raise its limit `max_file_store`"
        )
    if error.get("code") in PASSING_CODES:
        raise NoAnswer(f"{subject}: {error['description']}")
    raise APIError.from_error(error)
