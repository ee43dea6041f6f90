"""Stored messages of one subject, read in batches without a consumer (ADR-31: JetStream direct get)."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from nats.aio.msg import Msg

from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.replies import description_of, status_of
from contracts.runtime.nats.retry import NoAnswer

BATCH = 1000
MAX_BYTES = 8 * 1024 * 1024
"""Of one batch, well below what makes the server call us a slow consumer."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as the stream holds it."""

    seq: int
    subject: str
    payload: bytes


async def stored(connection: Connection, stream: str, subject_filter: str, first: int = 1) -> list[Stored]:
    """All messages on `subject_filter` from sequence `first` on. Any replica may answer, even one that lags.

    Raises:
        NoAnswer: the read broke off; it may be repeated.
    """
    messages: list[Stored] = []
    more = True
    while more:
        request = {"batch": BATCH, "max_bytes": MAX_BYTES, "seq": first, "next_by_subj": subject_filter}
        *batch, end = await connection.request_many(
            f"$JS.API.DIRECT.GET.{stream}", orjson.dumps(request), _is_status
        )
        messages += [_stored(msg) for msg in batch]
        first = messages[-1].seq + 1 if messages else first
        more = _more_to_come(end)
    return messages


def _is_status(msg: Msg) -> bool:
    return status_of(msg) is not None


def _more_to_come(end: Msg) -> bool:
    match status_of(end):
        case "204":
            return int((end.headers or {}).get("Nats-Num-Pending", 0)) > 0
        case "404":
            return False
        case status:
            raise NoAnswer(f"status {status}: {description_of(end)}")


def _stored(msg: Msg) -> Stored:
    headers = msg.headers or {}
    return Stored(int(headers["Nats-Sequence"]), headers["Nats-Subject"], msg.data)
