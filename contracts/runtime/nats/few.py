"""Reads all messages on a filter that has few, without a search of the rest of the stream.

After the last message on its filter, a consumer looks through all later blocks of the stream, and appends
wait meanwhile. In a long log that takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from nats.js.errors import NotFoundError

from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.direct import BATCH, Stored, stored
from contracts.runtime.nats.retry import NoAnswer
from contracts.runtime.nats.uninterrupted import uninterrupted


async def few(connection: Connection, stream: str, subject_filter: str) -> tuple[Sequence[Stored], int]:
    """The messages on `subject_filter`, and the sequence up to which they are all that there are.

    Nothing and 0 if there are more than BATCH, or NATS does not answer, or is interrupted. The stream must
    have one replica: with several, a former leader could count too few.
    """
    try:
        return await uninterrupted(connection, partial(_few, connection, stream, subject_filter))
    except (NoAnswer, NotFoundError):
        return [], 0


async def _few(connection: Connection, stream: str, subject_filter: str) -> tuple[Sequence[Stored], int]:
    subject = f"STREAM.INFO.{stream}"
    # Asked before the count, so that a message that is stored meanwhile has a higher sequence.
    end = int((await connection.api(subject))["state"]["last_seq"])
    counted = (await connection.api(subject, {"subjects_filter": subject_filter}))["state"]
    count = sum((counted.get("subjects") or {}).values())
    if count > BATCH:
        return [], 0
    found = await stored(connection, stream, subject_filter, count=count)
    last = found[-1].seq if found else 0
    return found, max(last, end) if len(found) == count else last
