"""The feed of the whole log: what each client is sent, and what it costs the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core import subjects
from contracts.core.commit import Commit, Recorded
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.runtime.log import Log
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.stream import Origin, Stream
from contracts.runtime.wire import Format
from gateway.streams import log_feed
from gateway.streams.hub import Hub
from gateway.streams.log_feed import EventFilter, LogFeed, _Encoded, _Listener
from gateway.streams.sse import Piece
from tests.any_source import CODEC
from tests.services.gateway.log_writing import REQUESTED, write, write_all

if TYPE_CHECKING:
    from tests.services.conftest import Api


class Client:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.sent = b""
        self.has_left = asyncio.Event()

    async def write(self, data: bytes) -> None:
        self.sent += data

    def push(self, piece: Piece) -> None:
        self.sent += piece.data

    def close(self) -> None:
        self.has_left.set()

    async def wait_closed(self) -> None:
        await self.has_left.wait()

    @property
    def ids(self) -> list[int]:
        return [int(line[4:]) for line in self.sent.splitlines() if line.startswith(b"id: ")]


async def test_a_client_that_may_have_missed_something_must_reconnect(api: Api) -> None:
    """The tail was interrupted: what it did not hear is still in the log."""
    await write_all(api.log)
    heard = [one async for batch in _first(api.log) for one in batch]
    client = Client()
    listener = _Listener(client, EventFilter(), lambda recorded: _Encoded(recorded, CODEC), since=0)
    for recorded in (heard[0], heard[1], heard[3]):
        listener.receive(recorded)
    assert client.ids == [1, 2]
    assert client.has_left.is_set()


class CountingCodec:
    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, commit: Commit) -> bytes:
        self.encoded.append(commit.aggregate_id)
        return CODEC.encode(commit)


async def test_a_commit_is_encoded_once_for_all_clients(api: Api) -> None:
    await write(api.log, DAG, "d1", REQUESTED)
    await write(api.log, DAG, "d2", REQUESTED)
    codec: Any = CountingCodec()
    feed = LogFeed(Hub(api.log), api.log, codec, lambda: datetime.now(UTC))
    clients = [Client() for _ in range(3)]
    listeners = [_Listener(client, EventFilter(), feed._encode, since=0) for client in clients]
    for recorded in [one async for batch in _first(api.log) for one in batch]:
        for listener in listeners:
            listener.receive(recorded)
    assert [client.ids for client in clients] == [[1, 2]] * 3
    assert codec.encoded == ["d1", "d2"]


async def _first(log: Log) -> AsyncGenerator[Sequence[Recorded]]:
    async for batch in log.tail("evt.>"):
        yield batch
        return


class Stalled(Client):
    """Reads nothing once it has been greeted."""

    def __init__(self) -> None:
        super().__init__()
        self.stalls = asyncio.Event()

    async def write(self, data: bytes) -> None:
        if self.sent:
            self.stalls.set()
            await self.has_left.wait()
        await super().write(data)


@pytest.mark.parametrize("behind", [0, 2], ids=["from now on", "after a short break"])
async def test_clients_that_read_a_long_past_do_not_hold_up_those_that_do_not(
    api: Api, eventually: Any, monkeypatch: pytest.MonkeyPatch, behind: int
) -> None:
    monkeypatch.setattr(log_feed, "SHORT", 2)
    await write_all(api.log)
    feed, slow = api.gateway.log_feed, [Stalled() for _ in range(log_feed.REPLAYS)]
    serving = [asyncio.create_task(feed.serve(one, EventFilter(), 0)) for one in slow]
    for one in slow:
        await one.stalls.wait()
    live = Client()
    last = await api.log.last_seq()
    serving.append(asyncio.create_task(feed.serve(live, EventFilter(), last - behind)))
    await eventually(lambda: len(live.ids) == 1 + behind)
    await eventually(lambda: len(feed._clients) == 1)
    await write(api.log, DAG, "d9", REQUESTED)
    await eventually(lambda: live.ids[-1] == last + 1)
    for client in (*slow, live):
        client.close()
    await asyncio.gather(*serving)


class Searched(MemoryLog):
    """A log that remembers the filters that it was searched for."""

    def __init__(self) -> None:
        super().__init__(CODEC)
        self.filters: list[str] = []

    async def last_seq(self, *filters: str) -> int:
        self.filters += filters
        return await super().last_seq(*filters)

    def tail(self, *filters: str, after: int = 0) -> AsyncGenerator[Sequence[Recorded]]:
        self.filters += [one for one in filters if one != subjects.EVERYTHING]
        return super().tail(*filters, after=after)


async def test_a_client_that_returns_after_a_short_break_costs_no_search_of_the_log(eventually: Any) -> None:
    log, client = Searched(), Client()
    await write_all(log)
    hub = Hub(log)
    feed = LogFeed(hub, log, CODEC, lambda: datetime.now(UTC))
    following = asyncio.create_task(hub.run())
    serving = asyncio.create_task(feed.serve(client, EventFilter(frozenset({"agent", "run"})), 1))
    await eventually(lambda: client.ids == [1, 2])
    client.close()
    await serving
    following.cancel()
    await asyncio.wait([following])
    assert log.filters == []


@pytest.mark.nats
@pytest.mark.parametrize("short", [0, log_feed.SHORT], ids=["long past", "short break"])
@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (EventFilter(), [1, 2, 3, 4, 5]),
        (EventFilter(aggregates=frozenset({"agent", "run"})), [2]),
        (EventFilter(id="d1"), [1, 4, 5]),
        (EventFilter(aggregates=frozenset({"dag"}), id="d1"), [1, 4, 5]),
        (EventFilter(types=frozenset({"dag.requested"})), [1, 3, 5]),
    ],
)
async def test_a_log_on_nats_is_streamed_the_same_way(
    connection: Connection,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
    wanted: EventFilter,
    ids: list[int],
    short: int,
) -> None:
    monkeypatch.setattr(log_feed, "SHORT", short)
    log = NatsLog(connection, Format(CODEC, NatsBlobs(connection)))
    await write_all(log)
    hub, client = Hub(log), Client()
    feed = LogFeed(hub, log, CODEC, lambda: (_ for _ in ()).throw(AssertionError("no clock")))
    feed._heartbeat = lambda position: b": at %d\n\n" % position  # type: ignore[method-assign]
    following = asyncio.create_task(hub.run())
    serving = asyncio.create_task(feed.serve(client, wanted, 0))
    await eventually(lambda: hub._general_listeners)
    stream = await Stream.open(log, DAG, "d1", Origin("/test/1"))
    await stream.append([dag.Updated(label="x")] if wanted.types == frozenset() else [REQUESTED])
    await eventually(lambda: client.ids == ids)
    client.close()
    await serving
    following.cancel()
    await asyncio.wait([following])
