"""Tells a stream that does not exist from a server that does not answer yet, which is worth a retry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from nats.js.errors import NotFoundError

from contracts.core.event import Json
from contracts.runtime.log import Unavailable
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.retry import NoResponder

T = TypeVar("T")

CREATED_AT_START = "Restart the services: they create it again"


async def info_of(connection: Connection, stream: str, advice: str = CREATED_AT_START) -> Json:
    """The answer to STREAM.INFO. `advice`: what to do if the stream does not exist.

    Raises:
        NoAnswer: NATS did not answer.
        Unavailable: the stream does not exist.
    """
    try:
        return await connection.api(f"STREAM.INFO.{stream}")
    except NotFoundError:
        raise Unavailable(f"the stream {stream} does not exist: it was deleted. {advice}") from None


async def from_stream(
    connection: Connection, stream: str, ask: Callable[[], Awaitable[T]], advice: str = CREATED_AT_START
) -> T:
    """Call `ask`, which sends requests to `stream`.

    Raises:
        Unavailable: nobody answered, because the stream does not exist.
    """
    try:
        return await ask()
    except NoResponder:
        await info_of(connection, stream, advice)
        raise
