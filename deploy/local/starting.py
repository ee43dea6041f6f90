"""Starts a process in full, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def start_in_full(start: Awaitable[T], keep: Callable[[T], None]) -> None:
    """Start a process and give it to `keep`, also if the caller is cancelled meanwhile.

    A start that is abandoned leaves a process that nobody stops, or an open pipe. So a cancellation waits.
    """
    starting = asyncio.ensure_future(start)
    try:
        await asyncio.wait([starting])
    finally:
        keep(await starting)
