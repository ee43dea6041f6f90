"""Retries of NATS requests: which errors are retried, the pauses between attempts, and the deadline."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import nats.errors
import structlog
from nats.js.errors import APIError, NoStreamResponseError, ServiceUnavailableError

from contracts.runtime.log import Unavailable

logger = structlog.get_logger(__name__)

T = TypeVar("T")

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 1.0
NAME_IN_USE = 10058
"""JetStream's error code when a stream of that name exists with another configuration."""


class NoAnswer(Exception):
    """NATS did not answer: no connection, a timeout, or no subscriber yet. A retry may succeed."""


class NoResponder(NoAnswer):
    """Nobody receives the request: its stream does not exist, or is not ready yet."""


class NotSent(NoAnswer):
    """The request was not sent: NATS was interrupted, or did not answer others."""


class GaveUp(Unavailable):
    """NATS did not answer until a deadline. It may answer later."""


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Context manager for calls of nats-py. Converts its temporary errors to NoAnswer."""
    try:
        yield
    except (
        TimeoutError,
        nats.errors.NoRespondersError,
        nats.errors.OutboundBufferLimitError,
        nats.errors.ConnectionClosedError,
        NoStreamResponseError,
        ServiceUnavailableError,
    ) as error:
        raise NoAnswer(str(error) or type(error).__name__) from error


@contextlib.contextmanager
def allow_existing() -> Iterator[None]:
    """Context manager for creating a stream. Ignores that it exists with another number of replicas."""
    try:
        yield
    except APIError as error:
        if error.err_code != NAME_IN_USE:
            raise


def pauses() -> Iterator[float]:
    """Seconds between attempts: doubling up to LONGEST_PAUSE_S, with jitter. Infinite."""
    pause = FIRST_PAUSE_S
    while True:
        yield pause * random.uniform(0.75, 1.25)
        pause = min(pause * 2, LONGEST_PAUSE_S)


async def retry_until(ask: Callable[[], Awaitable[T]], *, deadline_s: float) -> T:
    """Call `ask` until it does not raise NoAnswer, and return its result.

    Raises:
        GaveUp: no answer within `deadline_s` seconds of the first failure.
    """
    try:
        return await ask()
    except NoAnswer as error:
        return await _again(ask, error, deadline_s)


async def retry_forever(ask: Callable[[], Awaitable[T]], *, what: str) -> T:
    """Call `ask` until it does not raise Unavailable, and return its result. There is no deadline."""
    waiting: Iterator[float] | None = None
    while True:
        try:
            return await ask()
        except Unavailable as error:
            logger.warning("no answer; retrying", what=what, error=str(error))
        waiting = waiting or pauses()
        await asyncio.sleep(next(waiting))


async def _again(ask: Callable[[], Awaitable[T]], error: NoAnswer, deadline_s: float) -> T:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(deadline_s):
            for pause in pauses():
                await asyncio.sleep(pause)
                try:
                    return await ask()
                except NoAnswer as again:
                    error = again
    raise GaveUp(f"no answer from NATS within {deadline_s:g} s: {error}") from error
