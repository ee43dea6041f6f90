"""One message stored in a stream and acknowledged, under the condition that its headers state."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from nats.js.errors import APIError

from contracts.runtime.nats.connection import PASSING_CODES, WRONG_LAST_SEQUENCE, Connection
from contracts.runtime.nats.retry import NoAnswer

EXPECTED_LAST = "Nats-Expected-Last-Subject-Sequence"
"""Header: the message is refused unless its subject's last sequence is this; 0: unless there is none."""


class WrongLastSequence(Exception):
    """The subject's last sequence is not the expected one: someone has written to it, perhaps ourselves."""


async def publish(
    connection: Connection,
    subject: str,
    payload: bytes,
    headers: Mapping[str, str],
    *,
    timeout_s: float = 2.0,
) -> int:
    """Store one message; returns its stream sequence.

    Raises:
        NoAnswer: whether it is stored is unknown.
        WrongLastSequence: it is not stored, or was stored before.
        APIError: the stream does not take it.
    """
    answer = await connection.request(subject, payload, dict(headers), timeout_s=timeout_s)
    ack = orjson.loads(answer.data)
    error = ack.get("error")
    if error is None:
        return int(ack["seq"])
    if error.get("err_code") in WRONG_LAST_SEQUENCE:
        raise WrongLastSequence(f"{subject}: {error['description']}")
    if error.get("code") in PASSING_CODES:
        raise NoAnswer(f"{subject}: {error['description']}")
    raise APIError.from_error(error)
