"""Whenever those who watch an execution come, go and come back, they miss nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from contracts.runtime.log import Unavailable
from gateway.api.executions.dialect import EXECUTIONS
from gateway.streams.feed import Feed
from gateway.streams.sse import Piece
from tests.services.gateway.executions.streams import beat_fast, history, watching, write, write_all
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.services.conftest import Api


async def test_a_client_that_reconnects_after_any_event_receives_exactly_the_rest(api: Api) -> None:
    seqs = await write_all(api, history(4))
    async with watching(api, query="?lastEventId=0") as client:
        snapshot, *whole = await client.until("execution.completed")
    assert (snapshot.id, snapshot.data["status"]) == (0, "pending")
    assert whole[0].event == "execution.created"
    assert [frame.id for frame in whole if frame.id] == seqs

    for position, frame in enumerate(whole[:-1]):
        if frame.id:
            async with watching(api, Last_Event_ID=str(frame.id)) as client:
                again, *rest = await client.until("execution.completed")
            assert (again.id, again.event) == (frame.id, "execution.updated")
            assert rest == whole[position + 1 :]


async def test_the_first_frame_of_a_resumed_stream_has_the_status_at_its_position(api: Api) -> None:
    seqs = await write_all(api, history(3))

    async with watching(api, Last_Event_ID=str(seqs[2])) as client:
        first = await client.next()

    assert (first.data["status"], first.data["failedTasks"]) == ("suspended", 1)


async def test_a_client_that_received_the_end_does_not_receive_it_again(api: Api) -> None:
    beat_fast(api)
    *_, last = await write_all(api, history())

    async with watching(api, Last_Event_ID=str(last)) as client:
        assert (await client.next()).data["status"] == "completed"
        assert (await client.next()).event == "heartbeat"


@pytest.mark.parametrize("header", ["999999", "-1", "x", "9" * 30, "²"])
async def test_an_impossible_position_is_ignored(api: Api, header: str) -> None:
    """For example one from before the log was made anew."""
    *_, last = await write_all(api, history()[:2])

    async with watching(api, query=f"?lastEventId={header}") as client:
        assert (await client.next()).id == last


async def test_clients_that_connect_at_any_moment_miss_nothing(api: Api) -> None:
    commits = history(40)
    await write(api, *commits[0])
    expected: list[int] = []

    async def watch() -> list[int]:
        async with watching(api) as client:
            return [frame.id for frame in await client.until("execution.completed") if frame.id]

    watchers = []
    for events in commits[1:]:
        watchers.append(asyncio.create_task(watch()))
        expected.append(await write(api, *events))
    for ids in await asyncio.gather(*watchers):
        assert ids == [seq for seq in (1, *expected) if seq >= ids[0]]


async def test_commits_that_the_hub_missed_are_read_from_the_log(api: Api) -> None:
    commits = history(3)
    await write_all(api, commits)
    recorded = await api.log.read("run", "e1")
    log: Any = OlderLog(recorded[:2])
    feed = Feed("e1", log, api.blobs, api.gateway.clock, EXECUTIONS)
    await feed.open()

    async with served(feed) as client:
        log.recorded = recorded
        await feed.send([recorded[-1]])
        await feed.send(recorded)

    assert client.ids == [one.seq for one in recorded[1:]]
    assert client.sent.count(b"event: execution.resumed") == 1


async def test_a_stream_breaks_instead_of_omitting_commits_that_the_log_does_not_return(api: Api) -> None:
    await write_all(api, history(3))
    recorded = await api.log.read("run", "e1")
    log: Any = OlderLog(recorded[:2])
    feed = Feed("e1", log, api.blobs, api.gateway.clock, EXECUTIONS)
    await feed.open()

    with pytest.raises(Unavailable):
        await feed.send([recorded[-1]])


class OlderLog:
    """A log whose newest commits have not reached the server that is asked."""

    def __init__(self, recorded: Sequence[Any]) -> None:
        self.recorded = recorded

    async def read(self, aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Any]:
        return [one for one in self.recorded if one.seq > after]


class Listening:
    """A client that keeps what it is sent, and takes its time at first."""

    def __init__(self) -> None:
        self.sent = b""
        self.caught_up = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def ids(self) -> list[int]:
        return [int(line[4:]) for line in self.sent.splitlines() if line.startswith(b"id: ")]

    async def write(self, data: bytes) -> None:
        await asyncio.sleep(0)  # noqa: TID251  lets the feed go on meanwhile
        self.sent += data

    def push(self, piece: Piece) -> None:
        self.sent += piece.data

    def close(self) -> None:
        self._ended.set()

    async def wait_closed(self) -> None:
        self.caught_up.set()
        await self._ended.wait()


@asynccontextmanager
async def served(feed: Feed, after: int | None = None) -> AsyncGenerator[Listening]:
    """A client that has caught up; at the end of the block the feed is closed and has sent everything."""
    client = Listening()
    serving = asyncio.create_task(feed.serve(client, after))
    async with asyncio.timeout(WAIT_S):
        await client.caught_up.wait()
        yield client
        feed.close()
        await serving


async def test_clients_that_connect_while_a_commit_is_sent_receive_it_once(api: Api) -> None:
    """Whatever is going on in the feed when they come, and from whatever position they go on."""
    commits = history(20, result=(await api.blobs.put_json("kept elsewhere")).as_json())
    await write(api, *commits[0])
    blobs: Any = SlowBlobs(api.blobs)
    feed = Feed("e1", api.log, blobs, api.gateway.clock, EXECUTIONS)
    await feed.open()
    clients: list[tuple[int | None, Listening, asyncio.Task[None]]] = []
    seqs = [1]
    for n, events in enumerate(commits[1:]):
        seqs.append(await write(api, *events))
        telling = asyncio.create_task(feed.send((await api.log.read("run", "e1"))[-1:]))
        for after in (None, 0, seqs[n // 2], seqs[-2]):
            client = Listening()
            clients.append((after, client, asyncio.create_task(feed.serve(client, after))))
        await telling
    await first_of(feed)
    feed.close()
    await asyncio.gather(*(serving for _, _, serving in clients))

    for after, client, _ in clients:
        first = client.ids[0] if after is None else after
        assert client.ids == [first, *(seq for seq in seqs if seq > first)]


class SlowBlobs:
    """Blobs that take their time."""

    def __init__(self, blobs: Any) -> None:
        self._blobs = blobs

    async def get(self, ref: Any) -> bytes:
        for _ in range(3):
            await asyncio.sleep(0)  # noqa: TID251  lets others go first
        data: bytes = await self._blobs.get(ref)
        return data


async def first_of(feed: Feed, after: int | None = None) -> Listening:
    """A client that has caught up, and leaves."""
    client = Listening()
    client.close()
    await feed.serve(client, after)
    return client


async def test_many_clients_that_reconnect_at_once_share_a_few_reads_of_the_log(api: Api) -> None:
    seqs = await write_all(api, history(5))
    log: Any = CountingLog(api.log)
    feed = Feed("e1", log, api.blobs, api.gateway.clock, EXECUTIONS)
    await feed.open()
    reads = log.reads

    crowd = await asyncio.gather(*(first_of(feed, seqs[n % 4]) for n in range(40)))

    assert log.reads - reads == 4
    assert [client.ids for client in crowd] == [seqs[n % 4 :] for n in range(40)]


class CountingLog:
    """Counts how often an aggregate is read."""

    def __init__(self, log: Any) -> None:
        self.log = log
        self.reads = 0

    async def read(self, *args: Any, **options: Any) -> Sequence[Any]:
        self.reads += 1
        recorded: Sequence[Any] = await self.log.read(*args, **options)
        return recorded
