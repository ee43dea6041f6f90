"""Reads stored messages without a consumer (ADR-31: JetStream direct get)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import orjson
from nats.aio.msg import Msg

from contracts.core.event import Json
from contracts.runtime.nats.client import UnreadHeaders
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.replies import description_of, status_of
from contracts.runtime.nats.retry import NoAnswer, NoResponder

BATCH = 1000
FIRST_ADDED = "Nats-Stream"
"""The first of the headers that the server adds to those of the stored message."""
MAX_BYTES = 8 * 1024 * 1024
"""Maximum size of one batch, well below the limit at which the server drops a slow consumer."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message stored in a stream."""

    seq: int
    subject: str
    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """The headers of the stored message, without those that the server adds to its answer."""


async def stored_at(connection: Connection, stream: str, query: dict[str, Json]) -> Stored | None:
    """The message that `query` selects, `{"last_by_subj": …}` or `{"seq": …}`; None if there is none.

    Any replica may answer, even one that lags behind.

    Raises:
        NoAnswer: the read was interrupted; retry it.
    """
    answer = await connection.request(f"$JS.API.DIRECT.GET.{stream}", orjson.dumps(query))
    match status_of(answer):
        case None:
            return _stored(answer)
        case "404":
            return None
        case status:
            raise NoAnswer(f"status {status}: {description_of(answer)}")


async def stored(
    connection: Connection,
    stream: str,
    subject_filter: str,
    first: int = 1,
    *,
    before: int | None = None,
    count: int | None = None,
) -> list[Stored]:
    """Messages on `subject_filter` from sequence `first` on, in order.

    Returns at most `count` messages, with sequences below `before`. Without `count` the server searches the
    stream to its end. Any replica may answer, even one that lags behind.

    Raises:
        NoAnswer: the read was interrupted; retry it.
    """
    messages: list[Stored] = []
    more = count is None or count > 0
    while more:
        batch = BATCH if count is None else min(BATCH, count - len(messages))
        request = {"batch": batch, "max_bytes": MAX_BYTES, "seq": first, "next_by_subj": subject_filter}
        *found, end = await connection.request_many(
            f"$JS.API.DIRECT.GET.{stream}", orjson.dumps(request), _is_status
        )
        messages += [_stored(msg) for msg in found]
        first = messages[-1].seq + 1 if messages else first
        more = _has_more(end) and first != before and len(messages) != count
    return [one for one in messages if before is None or one.seq < before]


def _is_status(msg: Msg) -> bool:
    return status_of(msg) is not None


def _has_more(end: Msg) -> bool:
    match status_of(end):
        case "204":
            return int((end.headers or {}).get("Nats-Num-Pending", 0)) > 0
        case "404":
            return False
        case "503":
            raise NoResponder("no subscriber answers: the stream does not exist, or is not ready yet")
        case status:
            raise NoAnswer(f"status {status}: {description_of(end)}")


def _stored(msg: Msg) -> Stored:
    answer = cast("UnreadHeaders", msg.headers)
    stored_headers = answer.before_last(FIRST_ADDED)
    return Stored(int(answer["Nats-Sequence"]), answer["Nats-Subject"], msg.data, stored_headers)
