"""Asking NATS again: what is worth it, how long to wait in between, and when to give up."""

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
    """NATS did not answer: no connection, a timeout, or nobody there yet. Asking again may succeed."""


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Around calls of nats-py: its many ways to say that there was no answer become NoAnswer."""
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
def unless_in_use() -> Iterator[None]:
    """Around making a stream: one that another process has made with other replicas is as good."""
    try:
        yield
    except APIError as error:
        if error.err_code != NAME_IN_USE:
            raise


def pauses() -> Iterator[float]:
    """Seconds between tries, without end: doubling, with jitter, bounded."""
    pause = FIRST_PAUSE_S
    while True:
        yield pause * random.uniform(0.75, 1.25)
        pause = min(pause * 2, LONGEST_PAUSE_S)


async def retry_until(ask: Callable[[], Awaitable[T]], *, deadline_s: float) -> T:
    """What `ask` gives, asked again while there is no answer.

    Raises:
        Unavailable: no answer within `deadline_s` seconds of the first failure.
    """
    try:
        return await ask()
    except NoAnswer as error:
        return await _again(ask, error, deadline_s)


async def retry_forever(ask: Callable[[], Awaitable[T]], *, what: str) -> T:
    """What `ask` gives, asked again for as long as this task lives: for what must not be given up."""
    for pause in pauses():
        try:
            return await ask()
        except Unavailable as error:
            logger.warning("trying again", what=what, error=str(error))
        await asyncio.sleep(pause)
    raise AssertionError("pauses have no end")


async def _again(ask: Callable[[], Awaitable[T]], error: NoAnswer, deadline_s: float) -> T:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(deadline_s):
            for pause in pauses():
                await asyncio.sleep(pause)
                try:
                    return await ask()
                except NoAnswer as again:
                    error = again
    raise Unavailable(f"no answer from NATS within {deadline_s:g} s: {error}") from error
