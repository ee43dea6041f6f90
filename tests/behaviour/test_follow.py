"""A fold of the log in memory is as current as its reader needs it to be, on both logs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from contracts.core.commit import Recorded
from contracts.runtime.blobs import MemoryBlobs
from contracts.runtime.follow import Follower
from contracts.runtime.log import Log
from contracts.runtime.memory_log import MemoryLog
from tests.behaviour.both_logs import OnMemory, OnNats
from tests.behaviour.tails import Inject

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters

"""The fixture's type lives in conftest.py, which tests cannot import."""

"""Stores any message in the log; gives its sequence."""


class Seen:
    """A fold that remembers what it was given."""

    def __init__(self) -> None:
        self.seqs: list[int] = []

    def fold(self, batch: Sequence[Recorded]) -> None:
        self.seqs += [one.seq for one in batch]


@asynccontextmanager
async def following(follower: Follower) -> AsyncGenerator[None]:
    worker = asyncio.create_task(follower.run())
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.wait([worker])


class FollowerBehaviour:
    """Each test is one rule."""

    async def test_a_follower_of_an_empty_log_is_current_at_once(self, log: Log) -> None:
        follower = Follower(log, "evt.counter.>", fold=Seen().fold)
        await follower.catch_up()
        assert follower.seq == 0

    async def test_catching_up_includes_all_that_was_appended_before(
        self, log: Log, counters: Counters
    ) -> None:
        seen = Seen()
        follower = Follower(log, "evt.counter.>", fold=seen.fold)
        before = await log.append(counters.commit("a"), after=0)
        async with following(follower):
            await follower.catch_up()
            assert seen.seqs == [before]
            later = await log.append(counters.commit("b"), after=0)
            await follower.catch_up()
            assert seen.seqs == [before, later]

    async def test_commits_of_other_aggregates_do_not_delay_catching_up(
        self, log: Log, counters: Counters
    ) -> None:
        """The newest commit of the log need not be one that it follows."""
        seen = Seen()
        follower = Follower(log, "evt.counter.*.positive", "evt.counter.*.lost", fold=seen.fold)
        followed = await log.append(counters.commit("a"), after=0)
        await log.append(counters.commit("b", counters.reset(), state="zero"), after=0)
        async with following(follower):
            await follower.catch_up()
        assert seen.seqs == [followed]

    async def test_a_message_that_is_not_a_commit_does_not_delay_catching_up(
        self, log: Log, counters: Counters, inject: Inject
    ) -> None:
        follower = Follower(log, "evt.counter.>", fold=Seen().fold)
        await log.append(counters.commit("a"), after=0)
        newest = await inject("evt.counter.b.positive", b"garbage")
        async with following(follower):
            await follower.catch_up()
        assert follower.seq == newest

    async def test_any_number_may_wait_for_it(self, log: Log, counters: Counters) -> None:
        follower = Follower(log, "evt.counter.>", fold=Seen().fold)
        newest = await log.append(counters.commit("a"), after=0)
        waiting = [asyncio.create_task(follower.catch_up()) for _ in range(3)]
        async with following(follower):
            await asyncio.gather(*waiting)
        assert follower.seq == newest


class TestFollowerOnMemory(OnMemory, FollowerBehaviour):
    pass


class TestFollowerOnNats(OnNats, FollowerBehaviour):
    pass


async def test_the_age_counts_from_the_last_comparison_with_the_log(counters: Counters) -> None:
    clock = [0.0]
    log = MemoryLog(counters.codec, MemoryBlobs())
    follower = Follower(log, fold=Seen().fold, clock=lambda: clock[0])
    assert follower.age_s == math.inf
    async with following(follower):
        await follower.catch_up()
        clock[0] = 7.0
        assert follower.age_s == 7.0
        await follower.catch_up()
        assert follower.age_s == 0.0
