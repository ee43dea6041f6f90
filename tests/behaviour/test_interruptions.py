"""NATS goes away and comes back: nothing is lost, nothing is done twice, and everything goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from contracts.core.tool import Effect, ToolSpec
from contracts.runtime.catalogue import Catalogue, publish, watch
from contracts.runtime.consumer.consumer import Consumer
from contracts.runtime.consumer.delivery import Delivery
from contracts.runtime.log import Unavailable
from contracts.runtime.nats.connection import Connection, ConnectionClosed, connect
from contracts.runtime.nats.ordered import Ordered
from contracts.runtime.nats.replies import Sink
from contracts.runtime.nats.retry import NoAnswer
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.topology import ensure_topology
from contracts.runtime.wire import Format
from deploy.local.nats_server import NatsServer
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


@pytest.fixture
async def connection(nats_server: NatsServer) -> AsyncGenerator[Connection]:
    async with connect(nats_server.url, name="test") as connection:
        await ensure_topology(connection)
        yield connection


@pytest.fixture
def log(connection: Connection, counters: Counters) -> NatsLog:
    return NatsLog(connection, Format(counters.codec, NatsBlobs(connection)))


async def test_appends_wait_for_nats_and_land_exactly_once(
    log: NatsLog, counters: Counters, nats_server: NatsServer
) -> None:
    """The server crashes amid 300 appends: some landed and lost their ack, some never got there."""
    appends = [asyncio.create_task(log.append(counters.commit(f"c{n}"), after=0)) for n in range(300)]
    await asyncio.wait(appends, return_when=asyncio.FIRST_COMPLETED)
    await nats_server.kill()
    await nats_server.start()
    seqs = await asyncio.gather(*appends)
    stored = [await log.read("counter", f"c{n}") for n in range(300)]
    assert [[one.seq for one in found] for found in stored] == [[seq] for seq in seqs]


async def test_a_read_waits_for_nats(log: NatsLog, counters: Counters, nats_server: NatsServer) -> None:
    seq = await log.append(counters.commit("a"), after=0)
    await nats_server.stop()
    reading = asyncio.gather(log.read("counter", "a"), log.last_seq())
    await nats_server.start()
    (recorded,), last = await reading
    assert (recorded.seq, last) == (seq, seq)


async def test_blobs_wait_for_nats(log: NatsLog, nats_server: NatsServer) -> None:
    blobs = log.format.blobs
    await nats_server.stop()
    putting = asyncio.ensure_future(blobs.put(b"x" * 300_000, "text/plain"))
    await nats_server.start()
    reference = await putting
    await nats_server.stop()
    getting = asyncio.ensure_future(blobs.get(reference))
    await nats_server.start()
    assert await getting == b"x" * 300_000


async def test_an_append_gives_up_at_its_deadline(
    connection: Connection, counters: Counters, nats_server: NatsServer
) -> None:
    log = NatsLog(connection, Format(counters.codec, NatsBlobs(connection)), deadline_s=0.2)
    await nats_server.stop()
    with pytest.raises(Unavailable, match="NATS is disconnected"):
        await log.append(counters.commit("a"), after=0)


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
async def test_a_tail_goes_on_where_it_was(
    log: NatsLog, counters: Counters, nats_server: NatsServer, crash: bool
) -> None:
    seqs = [await log.append(counters.commit(f"c{n}"), after=0) for n in range(3)]
    taken: list[int] = []
    async with aclosing(log.tail()) as batches:
        while len(taken) < 3:
            taken += [one.seq for one in await anext(batches)]
        await (nats_server.kill() if crash else nats_server.stop())
        waiting = asyncio.ensure_future(anext(batches))
        await nats_server.start()
        seqs += [await log.append(counters.commit(f"d{n}"), after=0) for n in range(3)]
        taken += [one.seq for one in await waiting]
        while len(taken) < 6:
            taken += [one.seq for one in await anext(batches)]
    assert taken == seqs


async def test_a_tail_waits_longer_for_nats_than_an_append_does(
    connection: Connection, counters: Counters, nats_server: NatsServer
) -> None:
    """A process that only follows the log has nobody to tell, and is there when NATS is back."""
    log = NatsLog(connection, Format(counters.codec, NatsBlobs(connection)), deadline_s=0.1)
    before = await log.append(counters.commit("a"), after=0)
    async with aclosing(log.tail()) as batches:
        assert [one.seq for one in await anext(batches)] == [before]
        waiting = asyncio.ensure_future(anext(batches))
        await nats_server.kill()
        for _ in range(3):
            with pytest.raises(Unavailable, match="no answer from NATS within"):
                await log.last_seq()
        await nats_server.start()
        await connection.connected()
        after = await NatsLog(connection, log.format).append(counters.commit("b"), after=0)
        assert [one.seq for one in await waiting] == [after]


async def test_the_log_is_checked_again_if_nats_was_interrupted_before_the_consumer_was_created(
    connection: Connection, log: NatsLog, counters: Counters, nats_server: NatsServer, eventually: Eventually
) -> None:
    """What the first check has found may be true of another log only."""
    seq = await log.append(counters.commit("a"), after=0)
    checks = 0

    async def check() -> None:
        nonlocal checks
        checks += 1
        if checks == 1:
            await nats_server.stop()
            await eventually(lambda: not connection.is_connected)
            await nats_server.start()
            await connection.connected()

    async with aclosing(Ordered(connection, "LOG", (">",), 0, check).batches()) as batches:
        assert [place.seq for place, _ in await anext(batches)] == [seq]
    assert checks == 2


async def test_a_tail_outlives_its_consumer(log: NatsLog, counters: Counters, eventually: Eventually) -> None:
    """Somebody removed the consumer on the server."""
    async with aclosing(log.tail()) as batches:
        first = await log.append(counters.commit("a"), after=0)
        assert [one.seq for one in await anext(batches)] == [first]
        (name,) = (await log.connection.api("CONSUMER.NAMES.LOG"))["consumers"]
        waiting = asyncio.ensure_future(anext(batches))
        await log.connection.api(f"CONSUMER.DELETE.LOG.{name}")
        second = await log.append(counters.commit("b"), after=0)
        assert [one.seq for one in await waiting] == [second]


async def test_a_tail_leaves_no_consumer_behind(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    await log.append(counters.commit("a"), after=0)
    async with aclosing(log.tail()) as batches:
        await anext(batches)

    async def gone() -> bool:
        return not (await log.connection.api("CONSUMER.NAMES.LOG"))["consumers"]

    await eventually(gone)


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
async def test_a_consumer_goes_on(
    log: NatsLog, counters: Counters, nats_server: NatsServer, eventually: Eventually, crash: bool
) -> None:
    handled: list[int] = []

    async def handle(_: Any, delivery: Delivery) -> None:
        handled.append(delivery.seq)

    consuming = asyncio.create_task(Consumer(log, "worker", ["evt.counter.>"], handle).run())
    seqs = [await log.append(counters.commit("a"), after=0)]
    await eventually(lambda: handled)
    await (nats_server.kill() if crash else nats_server.stop())
    await nats_server.start()
    seqs.append(await log.append(counters.commit("b"), after=0))
    await eventually(lambda: set(handled) == set(seqs))
    consuming.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await consuming


async def test_a_catalogue_goes_on(
    connection: Connection, nats_server: NatsServer, eventually: Eventually
) -> None:
    def spec(name: str) -> ToolSpec:
        return ToolSpec(name=name, description="", parameters={}, effect=Effect.READ)

    catalogue = Catalogue()
    watching = asyncio.create_task(watch(connection, catalogue))
    await publish(connection, [spec("before")])
    await catalogue.known()
    await nats_server.stop()
    await nats_server.start()
    await publish(connection, [spec("after")])
    await eventually(lambda: [one.name for one in catalogue.all()] == ["after", "before"])
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching


async def test_pending_requests_fail_as_soon_as_the_connection_breaks(
    connection: Connection, nats_server: NatsServer
) -> None:
    """It is asked again at once, and not when its long timeout has passed."""
    await connection.nc.subscribe("silence")
    asking = asyncio.ensure_future(connection.request("silence", b"", timeout_s=300))
    await connection.fence()
    await nats_server.kill()
    with pytest.raises(NoAnswer, match="interrupted"):
        await asking


async def test_ending_a_subscription_loses_no_message_in_flight(connection: Connection) -> None:
    received: list[bytes] = []
    subscription = await connection.nc.subscribe("news", future=Sink(lambda msg: received.append(msg.data)))
    for n in range(100):
        await connection.publish("news", b"%d" % n)
    await connection.leave(subscription)
    await connection.publish("news", b"late")
    await connection.fence()
    assert received == [b"%d" % n for n in range(100)]


async def test_a_connection_that_is_closed_for_good_says_so(connection: Connection) -> None:
    """The server cuts off a client that breaks the protocol, and nats-py does not come back from that."""
    await connection.nc._send_command(b"NONSENSE\r\n")
    await connection.publish("kick")
    with pytest.raises(ConnectionClosed):
        await connection.watch()
    with pytest.raises(Unavailable):
        await connection.request("anything", b"")


async def test_a_task_that_is_cancelled_while_it_sends_ends(nats_server: NatsServer) -> None:
    """With so little room it waits for the socket at each message, inside nats-py."""
    async with connect(nats_server.url, name="test", pending_bytes=1) as connection:
        sent = asyncio.Event()

        async def send() -> None:
            while True:
                await connection.publish("live.news", b"x" * 100)
                sent.set()

        sending = asyncio.create_task(send())
        await sent.wait()
        sending.cancel()
        await asyncio.wait([sending], timeout=WAIT_S)
        assert sending.done()


async def lose(connection: Connection, monkeypatch: pytest.MonkeyPatch, lost: Exception) -> None:
    """Bring about the moment in which nats-py does not know yet that the connection is lost.

    Its flusher has ended, and the transport takes nothing more.
    """
    flusher: Any = connection.nc._flusher_task
    flusher.cancel()
    await asyncio.wait([flusher])

    def refuse(_: Any) -> None:
        raise lost

    monkeypatch.setattr(connection.nc._transport, "writelines", refuse)


@pytest.mark.parametrize("lost", [RuntimeError("the handler is closed"), ConnectionResetError()], ids=repr)
async def test_a_request_on_a_connection_that_has_just_been_lost_gets_no_answer(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, lost: Exception
) -> None:
    await lose(connection, monkeypatch, lost)
    with pytest.raises(NoAnswer):
        await connection.request("nobody", b"", timeout_s=0.1)


async def test_what_was_not_sent_before_an_interruption_is_not_sent_after_it(
    nats_server: NatsServer, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next server may have another log. A writer compares it before it sends its commit again."""
    await ensure_topology(connection)
    with monkeypatch.context() as patch:
        await lose(connection, patch, ConnectionResetError())
        asking = asyncio.ensure_future(connection.request("evt.counter.a.positive", b"", timeout_s=300))
        await nats_server.kill()
        with pytest.raises(NoAnswer, match="interrupted"):
            await asking
    await nats_server.start()
    await connection.connected()
    assert (await connection.api("STREAM.INFO.LOG"))["state"]["last_seq"] == 0


def test_a_connection_closes_on_uvloop_also_when_nats_is_away_and_not_all_was_sent(
    tmp_path: Path, eventually: Eventually
) -> None:
    async def main() -> None:
        server = NatsServer(tmp_path)
        await server.start()
        async with connect(server.url, name="test", pending_bytes=64) as connection:
            subscription = await connection.nc.subscribe("live.news")
            await server.stop()
            await eventually(lambda: not connection.is_connected)
            with contextlib.suppress(NoAnswer):
                while True:
                    await connection.publish("live.news", b"x" * 16)
        assert subscription._id not in connection.nc._subs

    uvloop.run(main())
