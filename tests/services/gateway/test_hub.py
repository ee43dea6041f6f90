"""The one tail of the log in a gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from contracts.core.commit import Recorded
from contracts.core.event import Event
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.runtime.log import Log, Unavailable
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, Stream
from gateway.streams.hub import PATIENCE_S, Hub, Reached, included
from tests.any_source import CODEC
from tests.waiting import WAIT_S

REQUESTED = dag.Requested(goal_text="g", agent_name="A")
REJECTED = dag.Rejected(http_status=500, error="no")
ENDED = {"rejected"}


class WatchedLog(MemoryLog):
    """Tells how it is used, and can be away."""

    def __init__(self) -> None:
        super().__init__(CODEC)
        self.tails = 0
        self.failures = 0

    async def tail(self, *filters: str, after: int = 0) -> AsyncGenerator[Sequence[Recorded]]:
        self.tails += 1
        async for batch in super().tail(*filters, after=after):
            yield batch

    async def last_seq(self, *filters: str) -> int:
        if self.failures:
            self.failures -= 1
            raise Unavailable("away")
        return await super().last_seq(*filters)


@asynccontextmanager
async def hub_on(log: Log, reached: Reached = included) -> AsyncGenerator[Hub]:
    hub = Hub(log, reached)
    task = asyncio.create_task(hub.run())
    try:
        yield hub
    finally:
        task.cancel()
        await asyncio.wait([task])


async def write(log: Log, dag_id: str, *events: Event) -> int:
    stream = await Stream.open(log, DAG, dag_id, Origin("/test/1"))
    return await stream.append(events)


async def test_a_commit_before_the_wait_is_found() -> None:
    log = WatchedLog()
    await write(log, "d1", REQUESTED)
    seq = await write(log, "d1", REJECTED)

    async with hub_on(log) as hub, asyncio.timeout(WAIT_S):
        assert (await hub.wait_for("dag", "d1", ENDED)).seq == seq


async def test_a_commit_during_the_wait_is_found() -> None:
    log = WatchedLog()
    await write(log, "d1", REQUESTED)

    async with hub_on(log) as hub, asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        waiting = group.create_task(hub.wait_for("dag", "d1", ENDED))
        async with hub.listening("dag", "d1", lambda _: None):
            await write(log, "d2", REQUESTED)
            seq = await write(log, "d1", REJECTED)
        assert (await waiting).seq == seq


async def test_commits_before_the_position_do_not_count() -> None:
    log = WatchedLog()
    await write(log, "d1", REQUESTED)
    before = await write(log, "d1", REJECTED)

    async with hub_on(log) as hub, asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        waiting = group.create_task(hub.wait_for("dag", "d1", ENDED, after=before))
        async with hub.listening("dag", "d1", lambda _: None):
            seq = await write(log, "d1", REJECTED)
        assert (await waiting).seq == seq


async def test_a_listener_hears_its_own_aggregate_only_and_in_order() -> None:
    log = WatchedLog()
    heard: list[Recorded] = []

    async with hub_on(log) as hub, asyncio.timeout(WAIT_S):
        async with hub.listening("dag", "d1", heard.append):
            await write(log, "d1", REQUESTED)
            await write(log, "d2", REQUESTED)
            await write(log, "d1", REJECTED)
            await hub.wait_for("dag", "d1", ENDED)
            await heard_by(hub, log)
        await write(log, "d1", dag.Deleted())
        await heard_by(hub, log)

    assert [one.seq for one in heard] == [1, 3]


async def heard_by(hub: Hub, log: Log) -> None:
    """Return when the hub has passed on all that is in the log now."""
    passed = asyncio.Event()
    async with hub.listening("dag", "mark", lambda _: passed.set()):
        await write(log, "mark", REQUESTED)
        await passed.wait()


async def test_nothing_is_followed_while_nobody_listens() -> None:
    log = WatchedLog()

    async with hub_on(log) as hub, asyncio.timeout(WAIT_S):
        await write(log, "d1", REQUESTED)
        assert log.tails == 0
        await heard_by(hub, log)
        assert log.tails == 1
        assert not hub._listeners


async def test_a_log_that_is_away_is_followed_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.streams.hub.RETRY_S", 0)
    log = WatchedLog()
    log.failures = 3

    async with hub_on(log) as hub, asyncio.timeout(WAIT_S):
        await heard_by(hub, log)


async def test_a_log_that_stays_away_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.streams.hub.FOLLOW_S", 0.01)
    log = WatchedLog()
    log.failures = 1_000_000

    async with hub_on(log) as hub:
        with pytest.raises(Unavailable, match="could not be followed"):
            await hub.wait_for("dag", "d1", ENDED)
        assert not hub._listeners


async def test_a_commit_is_passed_on_when_the_views_include_it() -> None:
    """So what a stream tells can be read."""
    log = WatchedLog()
    asked, projected, passed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def reached(_: int, __: float) -> bool:
        asked.set()
        await projected.wait()
        return True

    async with (
        asyncio.timeout(WAIT_S),
        hub_on(log, reached) as hub,
        hub.listening_to_all(lambda _: passed.set()),
    ):
        await write(log, "d1", REQUESTED)
        await asked.wait()
        assert not passed.is_set()
        projected.set()
        await passed.wait()


async def test_views_that_are_far_behind_do_not_hold_streams_up() -> None:
    log = WatchedLog()
    passed: asyncio.Queue[int] = asyncio.Queue()
    patience: list[float] = []

    async def behind(_: int, timeout: float) -> bool:
        patience.append(timeout)
        return False

    def passed_on(recorded: Recorded) -> None:
        passed.put_nowait(recorded.seq)

    async with asyncio.timeout(WAIT_S), hub_on(log, behind) as hub, hub.listening_to_all(passed_on):
        for event in (REQUESTED, REJECTED):
            seq = await write(log, "d1", event)
            assert await passed.get() == seq
    assert patience == [PATIENCE_S, 0]
