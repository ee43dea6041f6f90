"""Several requests whose answers come from one log: after an interruption the server may have another one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.retry import NoAnswer

T = TypeVar("T")


async def uninterrupted(connection: Connection, ask: Callable[[], Awaitable[T]]) -> T:
    """The result of `ask`, if the connection was not interrupted meanwhile.

    Raises:
        NoAnswer: it was interrupted.
    """
    interruptions = connection.interruptions
    result = await ask()
    if interruptions != connection.interruptions:
        raise NoAnswer("the connection to NATS was interrupted")
    return result
