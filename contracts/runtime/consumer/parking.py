"""Messages a consumer gave up on: kept where an operator sees them, and put back when he says so."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime
from functools import partial

import orjson
from nats.js.errors import NotFoundError
from pydantic import BaseModel, ConfigDict

from contracts.core.event import Json
from contracts.core.subjects import PARKED, PARKED_STREAM, STREAM, parked, replay
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.direct import stored
from contracts.runtime.nats.retry import NoAnswer, retry_until
from contracts.runtime.process.service import UserError

DEADLINE_S = 30.0
LOG_SUBJECT = "Log-Subject"
"""Header of a message put back: the subject it has in the log."""


class NotParked(UserError):
    """No message is parked under this number."""


class Parked(BaseModel):
    """One message given up, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    consumer: str
    seq: int
    """In the log."""
    subject: str
    """It had in the log."""
    reason: str
    error: str
    """Type of what was raised."""
    attempt: int
    time: datetime
    payload: Json
    """The message itself: its JSON, or its text when it is none."""


async def park(connection: Connection, message: Parked, *, delivery: str) -> None:
    """Keep `message`; once only for one `delivery`, however often it is tried.

    Raises:
        Unavailable: it could not be stored.
    """
    body = orjson.dumps(message.model_dump(mode="json"))
    headers = {"Nats-Msg-Id": delivery, "Nats-Expected-Stream": PARKED_STREAM}
    await retry_until(
        partial(_store, connection, parked(message.consumer, message.seq), body, headers),
        deadline_s=DEADLINE_S,
    )


async def parked_messages(connection: Connection) -> list[tuple[int, Parked]]:
    """All that is parked, oldest first, each under its number."""
    found = await retry_until(partial(stored, connection, PARKED_STREAM, PARKED), deadline_s=DEADLINE_S)
    return [(one.seq, Parked.model_validate_json(one.payload)) for one in found]


async def retry(connection: Connection, number: int) -> None:
    """Give parked message `number` to its consumer again, as if it came for the first time.

    Raises:
        NotParked: there is none, or the log does not have the message any more.
        Unavailable: NATS could not be reached; try again.
    """
    found = await _get(connection, PARKED_STREAM, number)
    message = Parked.model_validate_json(found["data"])
    original = await _get(connection, STREAM, message.seq)
    headers = {"Nats-Msg-Id": f"{PARKED_STREAM}.{number}", LOG_SUBJECT: original["subject"]}
    await retry_until(
        partial(_store, connection, replay(message.consumer, message.seq), original["data"], headers),
        deadline_s=DEADLINE_S,
    )
    delete = partial(connection.api, f"STREAM.MSG.DELETE.{PARKED_STREAM}", {"seq": number})
    await retry_until(delete, deadline_s=DEADLINE_S)


async def _get(connection: Connection, stream: str, seq: int) -> dict[str, Json]:
    ask = partial(connection.api, f"STREAM.MSG.GET.{stream}", {"seq": seq})
    try:
        message: dict[str, Json] = (await retry_until(ask, deadline_s=DEADLINE_S))["message"]
    except NotFoundError:
        raise NotParked(f"there is no message {seq} in {stream}; list what is parked first") from None
    return {"subject": message["subject"], "data": b64decode(message.get("data", ""))}


async def _store(connection: Connection, subject: str, body: bytes, headers: dict[str, str]) -> None:
    ack = orjson.loads((await connection.request(subject, body, headers)).data)
    if error := ack.get("error"):
        raise NoAnswer(f"{subject}: {error['description']}")
