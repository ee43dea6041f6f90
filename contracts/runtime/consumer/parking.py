"""Parked messages: those that a consumer gave up on. An operator can list them and send them again."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import partial

import orjson
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.core.event import Json
from contracts.core.subjects import PARKED, PARKED_STREAM, STREAM, parked, replay
from contracts.core.user_error import UserError
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.direct import Stored, stored
from contracts.runtime.nats.leader import message_at
from contracts.runtime.nats.publish import EXPECTED_LAST, WrongLastSequence, publish
from contracts.runtime.nats.retry import retry_until
from contracts.runtime.wire import CONTENT, COPIED
from contracts.settings.redactor import SECRETS

DEADLINE_S = 30.0
LOG_SUBJECT = "Log-Subject"
"""Header of a message that is sent again: its subject in the log."""
LONGEST_TEXT = 10_000
"""Maximum characters stored of a parked message that is not JSON."""
READERS = "readers"
"""Stored instead of a consumer's name for a message that is not a commit. All readers skip it."""


class NotParked(UserError):
    """No message is parked under this number."""


class Parked(BaseModel):
    """One parked message, and the reason."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    consumer: str
    seq: int
    """Sequence in the log."""
    subject: str
    """Subject in the log."""
    reason: str
    error: str
    """Type of the exception."""
    attempt: int
    time: datetime
    payload: Json
    """The payload of the message: its JSON, or its text if it is not JSON."""


PARKINGS = Counter("parked_messages", "Messages that a consumer of this process gave up on.", ["consumer"])


async def park(connection: Connection, message: Parked, *, delivery: str) -> None:
    """Store `message`. Repeated calls with the same `delivery` store it once.

    Raises:
        Unavailable: it could not be stored.
    """
    body = SECRETS.json(orjson.dumps(message.model_dump(mode="json")))
    headers = {"Nats-Msg-Id": delivery, "Nats-Expected-Stream": PARKED_STREAM}
    await _store(connection, parked(message.consumer, message.seq), body, headers)
    PARKINGS.labels(message.consumer).inc()


async def park_once(connection: Connection, message: Parked) -> None:
    """Store `message` unless it is already parked for the same consumer.

    Raises:
        Unavailable: it could not be stored.
    """
    body = SECRETS.json(orjson.dumps(message.model_dump(mode="json")))
    with suppress(WrongLastSequence):
        await _store(connection, parked(message.consumer, message.seq), body, {EXPECTED_LAST: "0"})


def as_json(payload: bytes) -> Json:
    """A payload in the form of `Parked.payload`: its JSON, or the first LONGEST_TEXT characters."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return payload.decode(errors="replace")[:LONGEST_TEXT]


async def parked_messages(connection: Connection) -> list[tuple[int, Parked]]:
    """All parked messages with their numbers, oldest first. Messages that no service parked are skipped."""
    found = await retry_until(partial(stored, connection, PARKED_STREAM, PARKED), deadline_s=DEADLINE_S)
    return [(one.seq, parked) for one in found if (parked := _parked_in(one))]


async def retry(connection: Connection, number: int) -> None:
    """Send parked message `number` to its consumer again, as a first delivery.

    Raises:
        NotParked: no message has this number, or the log no longer contains the message.
        Unavailable: NATS could not be reached; try again.
    """
    message = _parked_in(await _get(connection, PARKED_STREAM, number))
    if message is None:
        raise NotParked(f"message {number} in {PARKED_STREAM} was not parked by a service")
    if message.consumer == READERS:
        raise NotParked(
            f"message {message.seq} of the log is not a commit, so no service can process it: remove it with "
            f"`nats stream rmm {STREAM} {message.seq}`, then `nats stream rmm {PARKED_STREAM} {number}`"
        )
    original = await _get(connection, STREAM, message.seq)
    own = {name: value for name, value in original.headers.items() if name in (CONTENT, COPIED)}
    headers = {"Nats-Msg-Id": f"{PARKED_STREAM}.{number}", LOG_SUBJECT: original.subject, **own}
    await _store(connection, replay(message.consumer, message.seq), original.payload, headers)
    delete = partial(connection.api, f"STREAM.MSG.DELETE.{PARKED_STREAM}", {"seq": number})
    await retry_until(delete, deadline_s=DEADLINE_S)


def _parked_in(message: Stored) -> Parked | None:
    """The parked message in a message of PARKED; None if no service stored it."""
    try:
        return None if COPIED in message.headers else Parked.model_validate_json(message.payload)
    except ValidationError:
        return None


async def _get(connection: Connection, stream: str, seq: int) -> Stored:
    ask = partial(message_at, connection, stream, seq)
    message = await retry_until(ask, deadline_s=DEADLINE_S)
    if message is None:
        raise NotParked(f"there is no message {seq} in {stream}; list the parked messages first")
    return message


async def _store(connection: Connection, subject: str, body: bytes, headers: dict[str, str]) -> None:
    await retry_until(partial(publish, connection, subject, body, headers), deadline_s=DEADLINE_S)
