"""Watching executions over HTTP: whenever a client comes, goes and comes back, it misses nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from contracts import run
from contracts.event import Event
from contracts.plan import Job
from contracts.run import RUN
from contracts.runtime.connection import Connection
from contracts.runtime.log import Unavailable
from contracts.runtime.stream import Origin, Stream
from contracts.steps import SYNTHESIS
from contracts.subjects import live_run
from gateway.api.executions.narrator import ExecutionNarrator
from gateway.streams.feed import Feed
from gateway.streams.feeds import Feeds, NatsLive
from gateway.streams.sse import Piece
from tests import jobs
from tests.services.gateway.watching import Watcher, watching_path

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STARTED = run.Started(executor="e", at=NOW, synthesis="merge")


def watching(
    api: Any, run_id: str = "e1", query: str = "", **headers: str
) -> AbstractAsyncContextManager[Watcher]:
    return watching_path(api, f"/api/v1/dag-executions/{run_id}/events{query}", **headers)


def job(count: int) -> Job:
    return jobs.job(*(jobs.task(f"{n:03}") for n in range(1, count + 1)))


def history(steps: int = 2, result: Any = None) -> list[Sequence[Event]]:
    """The commits of a run that fails once, is resumed, and completes; `result` is that of most steps."""
    commits: list[Sequence[Event]] = [
        [run.Requested(dag_id="d1", original_request="do it", job=job(steps))],
        [STARTED, run.StepsStarted(steps=("001",))],
        [run.StepFailed(step="001", attempt=1, error="no"), run.Suspended(reason="no")],
        [run.Resumed()],
        [STARTED, run.StepsStarted(steps=("001",))],
    ]
    for n in range(1, steps):
        done = run.StepCompleted(step=f"{n:03}", result=result or {"n": n}, duration_ms=n)
        commits.append([done, run.StepsStarted(steps=(f"{n + 1:03}",))])
    last = run.StepCompleted(step=f"{steps:03}", result="done")
    report = run.StepCompleted(step=SYNTHESIS, result="the report")
    commits.append([last, report, run.Completed(completed_steps=steps, duration_ms=9)])
    return commits


async def write(api: Any, *events: Event, run_id: str = "e1") -> int:
    """One commit, without waiting for the views."""
    stream = await Stream.open(api.log, RUN, run_id, Origin("/test/1"))
    return await stream.append(events)


async def write_all(api: Any, commits: Sequence[Sequence[Event]]) -> list[int]:
    return [await write(api, *events) for events in commits]


# ── what is told ────────────────────────────────────────────────────────────────────────────────────────


async def test_the_first_frame_says_how_things_stand(api: Any) -> None:
    *_, seq = await write_all(api, history()[:3])

    async with watching(api) as client:
        first = await client.next()

    assert (first.id, first.event) == (seq, "execution.updated")
    assert first.data.pop("timestamp") > 1_700_000_000_000
    assert first.data == {
        "type": "execution.updated",
        "executionId": "e1",
        "status": "suspended",
        "completedTasks": 0,
        "failedTasks": 1,
        "waitingTasks": 0,
    }


async def test_a_run_is_told_from_its_start_to_its_end(api: Any) -> None:
    requested, *commits = history()
    await write(api, *requested)

    async with watching(api) as client:
        await client.next()
        seqs = await write_all(api, commits)
        told = await client.until("execution.completed")

    assert [frame.event for frame in told] == [
        "execution.started",
        "substep.started",
        "substep.failed",
        "execution.updated",
        "execution.suspended",
        "execution.resumed",
        "execution.updated",
        "substep.started",
        "substep.completed",
        "execution.updated",
        "substep.started",
        "substep.completed",
        "execution.updated",
        "execution.completed",
    ]
    completed = told[8].data
    assert (completed["subStepId"], completed["taskId"], completed["durationMs"]) == ("001", 1, 1)
    assert completed["result"] == '{"n":1}'
    assert told[11].data["result"] == "done"
    assert (told[9].data["completedTasks"], told[9].data["failedTasks"]) == (1, 0)
    assert told[-1].data["finalResult"] == "the report"
    assert [frame.id for frame in told if frame.id] == seqs


async def test_only_the_last_event_of_a_commit_has_its_id(api: Any) -> None:
    """Who is cut off in the middle of a commit gets the whole of it again."""
    requested, started, *_ = history()
    await write(api, *requested)

    async with watching(api) as client:
        await client.next()
        seq = await write(api, *started)
        assert [(await client.next()).id for _ in range(2)] == [None, seq]


async def test_the_stream_has_the_headers_browsers_and_proxies_need(api: Any) -> None:
    await write(api, *history()[0])

    async with watching(api, Origin="https://app.example") as client:
        headers = client.headers
    async with watching(api) as anonymous:
        assert anonymous.headers["Access-Control-Allow-Origin"] == "*"

    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert headers["Access-Control-Allow-Credentials"] == "true"


async def test_large_results_are_fetched_once_for_all_clients(api: Any) -> None:
    requested, started, *_ = history()
    await write_all(api, [requested, started])
    kept = await api.blobs.store_if_large("x" * 100_000)
    with counted_fetches(api) as fetched:
        async with watching(api) as one, watching(api) as two:
            await one.next()
            await two.next()
            await write(api, run.StepCompleted(step="001", result=kept))

            assert (await one.next()).data["result"] == (await two.next()).data["result"] == "x" * 100_000
    assert fetched == [kept["$blob"]]


@contextmanager
def counted_fetches(api: Any) -> Iterator[list[str]]:
    fetched: list[str] = []
    get = api.blobs.get

    async def counting(ref: Any) -> bytes:
        fetched.append(ref.blob)
        data: bytes = await get(ref)
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api.blobs, "get", counting)
        yield fetched


async def test_a_deleted_execution_ends_its_streams(api: Any) -> None:
    await write(api, *history()[0])

    async with watching(api) as client:
        await client.next()
        await write(api, run.Cancelled(reason="deleted"), run.Deleted())

        assert [(await client.next()).event for _ in range(2)] == ["execution.failed", "execution.deleted"]
        assert await client.ended()


async def test_a_stream_stays_open_after_the_end(api: Any) -> None:
    beat_fast(api)
    *commits, last = history()
    await write_all(api, commits)

    async with watching(api) as client:
        await client.next()
        await write(api, *last)
        await client.until("execution.completed")

        heartbeat = (await client.until("heartbeat"))[-1]

    assert heartbeat.id is None
    assert set(heartbeat.data) == {"type", "executionId", "timestamp"}


def beat_fast(api: Any, live: Any = None) -> None:
    gateway = api.gateway
    gateway.feeds = Feeds(gateway.hub, gateway.log, gateway.blobs, gateway.clock, live, heartbeat_s=0.01)


async def test_who_comes_after_the_end_is_told_the_end(api: Any) -> None:
    *_, last = await write_all(api, history())

    async with watching(api) as client:
        snapshot, ending = await client.next(), await client.next()

    assert (snapshot.event, snapshot.data["status"]) == ("execution.updated", "completed")
    assert (ending.id, ending.event, ending.data["finalResult"]) == (
        last,
        "execution.completed",
        "the report",
    )


async def test_a_stream_can_be_asked_for_by_head(api: Any) -> None:
    await write(api, *history()[0])

    answer = await api.call("HEAD", "/api/v1/dag-executions/e1/events")

    assert (answer.status, answer.body) == (200, b"")


# ── nothing is missed, nothing is told twice ────────────────────────────────────────────────────────────


async def test_whoever_comes_back_after_whatever_event_gets_exactly_the_rest(api: Any) -> None:
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


async def test_the_first_frame_of_a_resumed_stream_is_how_things_stood_then(api: Any) -> None:
    seqs = await write_all(api, history(3))

    async with watching(api, Last_Event_ID=str(seqs[2])) as client:
        first = await client.next()

    assert (first.data["status"], first.data["failedTasks"]) == ("suspended", 1)


async def test_who_has_been_told_the_end_is_not_told_again(api: Any) -> None:
    beat_fast(api)
    *_, last = await write_all(api, history())

    async with watching(api, Last_Event_ID=str(last)) as client:
        assert (await client.next()).data["status"] == "completed"
        assert (await client.next()).event == "heartbeat"


@pytest.mark.parametrize("header", ["999999", "-1", "x", "9" * 30, "²"])
async def test_a_position_that_cannot_be_is_taken_for_none(api: Any, header: str) -> None:
    """For example one from before the log was made anew."""
    *_, last = await write_all(api, history()[:2])

    async with watching(api, query=f"?lastEventId={header}") as client:
        assert (await client.next()).id == last


async def test_clients_that_come_at_any_moment_miss_nothing(api: Any) -> None:
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


async def test_commits_that_were_not_heard_are_read_from_the_log(api: Any) -> None:
    commits = history(3)
    await write_all(api, commits)
    recorded = await api.log.read("run", "e1")
    log: Any = OlderLog(recorded[:2])
    feed = Feed("e1", log, api.blobs, api.gateway.clock, ExecutionNarrator)
    await feed.open()

    async with served(feed) as client:
        log.recorded = recorded
        await feed.tell([recorded[-1]])
        await feed.tell(recorded)

    assert client.ids == [one.seq for one in recorded[1:]]
    assert client.sent.count(b"event: execution.resumed") == 1


async def test_what_the_log_does_not_give_breaks_the_stream_instead_of_being_left_out(api: Any) -> None:
    await write_all(api, history(3))
    recorded = await api.log.read("run", "e1")
    log: Any = OlderLog(recorded[:2])
    feed = Feed("e1", log, api.blobs, api.gateway.clock, ExecutionNarrator)
    await feed.open()

    with pytest.raises(Unavailable):
        await feed.tell([recorded[-1]])


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

    def leave(self) -> None:
        self._ended.set()

    async def left(self) -> None:
        self.caught_up.set()
        await self._ended.wait()


@asynccontextmanager
async def served(feed: Feed, after: int | None = None) -> AsyncGenerator[Listening]:
    """A client that has caught up; at the end of the block the feed is closed and has sent everything."""
    client = Listening()
    serving = asyncio.create_task(feed.serve(client, after))
    async with asyncio.timeout(10):
        await client.caught_up.wait()
        yield client
        feed.close()
        await serving


async def test_clients_that_come_while_something_is_told_get_it_once(api: Any) -> None:
    """Whatever is going on in the feed when they come, and from whatever position they go on."""
    commits = history(20, result=(await api.blobs.put_json("kept elsewhere")).as_json())
    await write(api, *commits[0])
    blobs: Any = SlowBlobs(api.blobs)
    feed = Feed("e1", api.log, blobs, api.gateway.clock, ExecutionNarrator)
    await feed.open()
    clients: list[tuple[int | None, Listening, asyncio.Task[None]]] = []
    seqs = [1]
    for n, events in enumerate(commits[1:]):
        seqs.append(await write(api, *events))
        telling = asyncio.create_task(feed.tell((await api.log.read("run", "e1"))[-1:]))
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
    client.leave()
    await feed.serve(client, after)
    return client


async def test_a_crowd_that_comes_back_makes_few_of_it_read(api: Any) -> None:
    seqs = await write_all(api, history(5))
    log: Any = CountingLog(api.log)
    feed = Feed("e1", log, api.blobs, api.gateway.clock, ExecutionNarrator)
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


# ── clients ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_client_that_does_not_read_is_cut_off_and_others_are_not(api: Any, eventually: Any) -> None:
    requested, started, *_ = history()
    await write_all(api, [requested, started])
    with deaf_client(api) as deaf:
        async with watching(api) as client:
            await client.next()
            await eventually(lambda: api.gateway.feeds._watched[ExecutionNarrator, "e1"].clients == 2)
            big = await api.blobs.store_if_large("x" * 3_000_000)
            for _ in range(4):
                await write(api, run.StepCompleted(step="001", result=big))
                await client.until("execution.updated")
            await eventually(lambda: api.gateway.feeds._watched[ExecutionNarrator, "e1"].clients == 1)
        assert deaf.recv(1)


@contextmanager
def deaf_client(api: Any, query: bytes = b"") -> Iterator[socket.socket]:
    """A client that asks for the stream and never reads it."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((api.url.host, api.url.port))
        deaf.sendall(b"GET /api/v1/dag-executions/e1/events%s HTTP/1.1\r\nHost: test\r\n\r\n" % query)
        yield deaf


async def test_a_client_that_does_not_read_the_past_is_cut_off(
    api: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    monkeypatch.setattr("gateway.streams.sse.WRITE_S", 0.01)
    await write_all(api, history(4, result=(await api.blobs.put_json("x" * 3_000_000)).as_json()))

    with deaf_client(api, b"?lastEventId=0"):
        await eventually(lambda: api.gateway.feeds._watched)
        await eventually(lambda: not api.gateway.feeds._watched)


async def test_a_proxy_that_speaks_http_1_0_is_sent_plain_frames(api: Any) -> None:
    requested, started, *_ = history()
    await write(api, *requested)
    reader, writer = await asyncio.open_connection(api.url.host, api.url.port)
    writer.write(b"GET /api/v1/dag-executions/e1/events HTTP/1.0\r\n\r\n")

    async with asyncio.timeout(10):
        await reader.readuntil(b"\r\n\r\n")
        opening = await reader.readuntil(b"\n\n")
        await write(api, *started)
        told = await reader.readuntil(b"\n\n")
    writer.close()
    await writer.wait_closed()

    assert opening.startswith(b"id: 1\nevent: execution.updated\n")
    assert told.startswith(b"event: execution.started\n")


async def test_all_clients_share_one_feed_that_ends_with_the_last(api: Any, eventually: Any) -> None:
    live = Microphone()
    beat_fast(api, live)
    await write(api, *history()[0])
    async with watching(api) as one, watching(api) as two:
        await one.next()
        await two.next()
        assert api.gateway.feeds._watched[ExecutionNarrator, "e1"].clients == 2
        assert list(live.listeners) == ["e1"]

    await eventually(lambda: not live.listeners)
    assert not api.gateway.feeds._watched
    assert not api.gateway.hub._listeners


async def test_a_stream_that_cannot_go_on_ends_and_can_be_resumed(api: Any) -> None:
    requested, started, *_ = history()
    await write_all(api, [requested, started])
    large = await api.blobs.store_if_large("x" * 100_000)
    async with watching(api) as client:
        position = (await client.next()).id
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(api.blobs, "get", unreachable)
            await write(api, run.StepCompleted(step="001", result=large))
            assert await client.ended()

    async with watching(api, Last_Event_ID=str(position)) as client:
        await client.next()
        assert (await client.next()).event == "substep.completed"


async def unreachable(*_: Any) -> bytes:
    raise Unavailable("the object store is away")


async def test_a_stopping_gateway_ends_its_streams(api: Any) -> None:
    await write(api, *history()[0])
    async with watching(api) as client:
        await client.next()
        api.gateway.feeds.close()

        assert await client.ended()


# ── what is not in the log ──────────────────────────────────────────────────────────────────────────────


class Microphone:
    """Stands for core NATS."""

    def __init__(self) -> None:
        self.listeners: dict[str, Callable[[bytes], None]] = {}

    @asynccontextmanager
    async def hearing(self, run_id: str, listener: Callable[[bytes], None]) -> AsyncGenerator[None]:
        self.listeners[run_id] = listener
        try:
            yield
        finally:
            del self.listeners[run_id]


async def test_the_progress_of_tools_is_told_live_and_is_not_repeated(api: Any) -> None:
    gateway, live = api.gateway, Microphone()
    gateway.feeds = Feeds(gateway.hub, gateway.log, gateway.blobs, gateway.clock, live)
    requested, started, *rest = history()
    await write(api, *requested)
    seq = await write(api, *started)

    async with watching(api) as client:
        await client.next()
        for payload in (b"no json", b"[]", b'{"kind":"odd"}', *tool_messages()):
            live.listeners["e1"](payload)
        told = [await client.next() for _ in range(2)]
        async with watching(api, Last_Event_ID=str(seq)) as second:
            await second.next()
            await write(api, *rest[0])
            assert (await second.next()).event == "substep.failed"

    assert [(frame.id, frame.event) for frame in told] == [(None, "tool.progress"), (None, "tool.completed")]
    assert told[0].data.pop("timestamp") > 0
    assert told[0].data == {
        "type": "tool.progress",
        "executionId": "e1",
        "toolName": "fetchPage",
        "message": "fetching",
        "subStepId": "001",
        "taskId": 1,
    }


def tool_messages() -> list[bytes]:
    return [
        orjson.dumps({"kind": kind, "tool": "fetchPage", "message": "fetching", "step": "001"})
        for kind in ("progress", "completed")
    ]


@pytest.mark.nats
async def test_progress_on_nats_is_heard_while_somebody_watches(connection: Connection) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    async with NatsLive(connection).hearing("e1", heard.put_nowait):
        await connection.nc.flush()
        await connection.publish(live_run("other"), b"not this")
        await connection.publish(live_run("e1"), b"this")
        async with asyncio.timeout(10):
            assert await heard.get() == b"this"
