"""The wall clock waits for a moment or for a change, whichever comes first."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from scheduler.clock import WallClock
from tests.waiting import WAIT_S


@pytest.mark.parametrize("ahead", [timedelta(hours=-1), timedelta(), timedelta(milliseconds=5)])
async def test_it_waits_until_the_moment_and_not_longer(ahead: timedelta) -> None:
    clock = WallClock()
    until = clock.now() + ahead
    async with asyncio.timeout(WAIT_S):
        await clock.wait(until, asyncio.Event())
    assert clock.now() >= until


async def test_a_change_ends_the_wait() -> None:
    change = asyncio.Event()
    waiting = asyncio.ensure_future(WallClock().wait(datetime.now(UTC) + timedelta(hours=1), change))
    change.set()
    async with asyncio.timeout(WAIT_S):
        await waiting
