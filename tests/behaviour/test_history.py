"""Reading one aggregate costs the same in a log of any length, and loses nothing for that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import pytest

from contracts.core.aggregate import Snapshots
from contracts.core.commit import Place
from contracts.core.event import Event
from contracts.core.unread import UnreadHistory
from contracts.runtime import history
from contracts.runtime.log import Log
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.stream import Origin, Stream
from contracts.runtime.wire import Format

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters

ORIGIN = Origin("/test/1")


class Doubled(Event):
    type: ClassVar[str] = "counter.doubled"


async def scattered(log: Log, counters: Counters, commits: int) -> Stream[int]:
    """Counter `a` with so many commits, each among commits of others."""
    stream = Stream(log, counters.aggregate, "a", ORIGIN)
    for number in range(commits):
        await stream.append([counters.added()])
        for other in range(3):
            await log.append(counters.commit(f"other-{number}-{other}"), after=0)
    return stream


class HistoryBehaviour:
    """Each test is one rule."""

    async def test_the_newest_commit_says_where_the_aggregate_begins(
        self, log: Log, counters: Counters
    ) -> None:
        await log.append(counters.commit("other"), after=0)
        stream = await scattered(log, counters, 3)
        newest = await log.newest("counter", "a")
        assert newest is not None
        assert (newest.seq, newest.commit.version) == (stream.seq, 3)
        assert newest.commit.place == Place(first=2, number=3)

    async def test_an_aggregate_without_commits_has_no_newest_one(self, log: Log) -> None:
        assert await log.newest("counter", "a") is None

    async def test_a_place_goes_on_after_the_aggregate_was_opened_again(
        self, log: Log, counters: Counters
    ) -> None:
        await scattered(log, counters, 2)
        stream = await Stream.open(log, counters.aggregate, "a", ORIGIN)
        await stream.append([counters.added()])
        newest = await log.newest("counter", "a")
        assert newest is not None
        assert newest.commit.place == Place(first=1, number=3)

    @pytest.mark.parametrize("commits", [1, 2, 40])
    @pytest.mark.parametrize("read", [0, 1, 20, 39])
    async def test_scattered_commits_are_read_whole(
        self, log: Log, counters: Counters, commits: int, read: int
    ) -> None:
        """Also by one who has read some of them before."""
        await scattered(log, counters, commits)
        whole = list(await log.read("counter", "a"))
        assert [one.commit.version for one in whole] == list(range(1, commits + 1))
        if read < commits:
            after = whole[read - 1].seq if read else 0
            assert list(await log.read("counter", "a", after=after)) == whole[read:]

    async def test_a_snapshot_stands_for_the_commits_before_it(self, log: Log, counters: Counters) -> None:
        aggregate = replace(counters.aggregate, snapshots=Snapshots(version=1, state=int))
        stream = Stream(log, aggregate, "a", ORIGIN)
        for _ in range(3):
            await stream.append([counters.added()])
        opened = await Stream.open(log, aggregate, "a", ORIGIN)
        assert (opened.state, opened.seq, opened.version) == (3, stream.seq, 3)
        assert (opened.began, opened.changed) == (stream.began, stream.changed)
        await opened.append([counters.added()])
        await stream.refresh()
        assert (stream.state, stream.began) == (4, opened.began)

    async def test_a_snapshot_of_another_version_is_not_used(self, log: Log, counters: Counters) -> None:
        """An older process wrote what its fold made of the events; ours makes something else of them."""
        older = replace(counters.aggregate, evolve=lambda *_: 99, snapshots=Snapshots(version=1, state=int))
        await Stream(log, older, "a", ORIGIN).append([counters.added()])
        newer = replace(counters.aggregate, snapshots=Snapshots(version=2, state=int))
        assert (await Stream.open(log, newer, "a", ORIGIN)).state == 1

    async def test_a_snapshot_after_an_event_that_cannot_be_read_is_not_used(
        self, log: Log, counters: Counters
    ) -> None:
        """A newer process wrote an event that ours does not know: what it means for a decision is unknown."""
        newer = replace(counters.aggregate, evolve=lambda *_: 99, snapshots=Snapshots(version=1, state=int))
        await Stream(log, newer, "a", ORIGIN).append([Doubled()])
        ours = replace(counters.aggregate, snapshots=Snapshots(version=1, state=int))
        with pytest.raises(UnreadHistory, match=r"counter.doubled/1 is unknown"):
            await Stream.open(log, ours, "a", ORIGIN)

    async def test_commits_without_snapshots_are_folded(self, log: Log, counters: Counters) -> None:
        await scattered(log, counters, 3)
        aggregate = replace(counters.aggregate, snapshots=Snapshots(version=1, state=int))
        assert (await Stream.open(log, aggregate, "a", ORIGIN)).state == 3


class TestMemoryHistory(HistoryBehaviour):
    @pytest.fixture
    def log(self, counters: Counters) -> MemoryLog:
        return MemoryLog(counters.codec)


@pytest.mark.nats
class TestNatsHistory(HistoryBehaviour):
    @pytest.fixture
    def log(self, connection: Connection, counters: Counters) -> NatsLog:
        return NatsLog(connection, Format(counters.codec, NatsBlobs(connection)))

    @contextmanager
    def requests(self, log: NatsLog, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
        """What the log asks JetStream for meanwhile."""
        asked: list[dict[str, Any]] = []
        replies = log.connection._replies
        ask = replies.ask

        async def heard(subject: str, payload: bytes, *args: Any) -> Any:
            asked.append(orjson.loads(payload))
            return await ask(subject, payload, *args)

        with monkeypatch.context() as patch:
            patch.setattr(replies, "ask", heard)
            yield asked

    async def test_an_aggregate_of_one_commit_is_one_request(
        self, log: NatsLog, counters: Counters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await scattered(log, counters, 1)
        with self.requests(log, monkeypatch) as asked:
            await log.read("counter", "a")
        assert asked == [{"last_by_subj": "evt.counter.a.>"}]

    async def test_a_longer_aggregate_is_read_from_its_first_commit_up_to_its_number_of_commits(
        self, log: NatsLog, counters: Counters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither from the beginning of the log nor to its end."""
        for number in range(5):
            await log.append(counters.commit(f"before-{number}"), after=0)
        await scattered(log, counters, 4)
        with self.requests(log, monkeypatch) as asked:
            await log.read("counter", "a")
        assert [(one["seq"], one["batch"]) for one in asked[1:]] == [(6, 3)]

    async def test_new_commits_are_read_backwards(
        self, log: NatsLog, counters: Counters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await scattered(log, counters, 3)
        with self.requests(log, monkeypatch) as asked:
            await log.read("counter", "a", after=1)
        assert asked[1:] == [{"seq": 5}]

    async def test_reading_no_new_commits_is_one_request(
        self, log: NatsLog, counters: Counters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = await scattered(log, counters, 3)
        with self.requests(log, monkeypatch) as asked:
            assert list(await log.read("counter", "a", after=stream.seq)) == []
        assert len(asked) == 1

    @pytest.mark.parametrize("kind", ["newest", "read", "last_seq"])
    async def test_only_so_many_aggregates_are_read_at_once(
        self, connection: Connection, counters: Counters, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """The server reads for one connection one after the other, and the last one waits for all."""
        monkeypatch.setattr(history, "READS_AT_ONCE", 2)
        log = NatsLog(connection, Format(counters.codec, NatsBlobs(connection)))
        ask = connection._replies.ask
        in_flight: list[int] = [0]

        async def counted(*args: Any) -> Any:
            in_flight.append(in_flight[-1] + 1)
            try:
                return await ask(*args)
            finally:
                in_flight.append(in_flight[-1] - 1)

        reads: dict[str, Callable[[], Awaitable[Any]]] = {
            "newest": lambda: log.newest("counter", "a"),
            "read": lambda: log.read("counter", "a"),
            "last_seq": lambda: log.last_seq("evt.counter.a.>"),
        }
        with monkeypatch.context() as patch:
            patch.setattr(connection._replies, "ask", counted)
            await asyncio.gather(*(reads[kind]() for _ in range(10)))
        assert max(in_flight) == 2

    async def test_many_new_commits_are_read_in_batches(
        self, log: NatsLog, counters: Counters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "LONGEST_WALK", 4)
        stream = await scattered(log, counters, 12)
        (first, *later) = await log.read("counter", "a")
        assert list(await log.read("counter", "a", after=first.seq)) == later
        assert later[-1].seq == stream.seq

    async def test_commits_stored_without_a_place_are_read_whole(
        self, log: NatsLog, counters: Counters
    ) -> None:
        seq = 0
        for version in range(1, 4):
            await log.append(counters.commit(f"other-{version}"), after=0)
            seq = await log.append(counters.commit("a", version=version), after=seq)
        assert [one.commit.version for one in await log.read("counter", "a")] == [1, 2, 3]

    async def test_a_removed_commit_does_not_hide_the_others(self, log: NatsLog, counters: Counters) -> None:
        """An operator removed it from the stream; the others say that there is one more."""
        await scattered(log, counters, 4)
        await log.connection.api("STREAM.MSG.DELETE.LOG", {"seq": 1})
        assert [one.commit.version for one in await log.read("counter", "a")] == [2, 3, 4]
