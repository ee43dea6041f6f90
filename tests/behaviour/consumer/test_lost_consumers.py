"""A durable consumer that the server has lost, and a server that is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from contracts.runtime.consumer.consumer import Consumer
from contracts.runtime.nats.connection import connect
from contracts.runtime.nats.leader import last_of
from contracts.runtime.nats.publish import publish
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.topology import ensure_topology
from contracts.runtime.wire import Format
from deploy.local.nats_server import NatsServer
from tests.behaviour.consumer.consuming import (
    ALL,
    QUICK,
    SLOW,
    Handler,
    asked,
    consuming,
    given,
    settled,
)

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


async def test_messages_that_a_lost_consumer_delivers_again_are_not_new(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler()
    async with consuming(Consumer(log, "worker", ALL, handler, policy=SLOW)):
        await eventually(lambda: asked(log))
        await log.append(counters.commit("a"), after=0)
        await eventually(lambda: given(handler, 1))
        await log.connection.api("CONSUMER.DELETE.LOG.worker")
        await eventually(lambda: given(handler, 2))
        await log.append(counters.commit("b"), after=0)
        await eventually(lambda: given(handler, 3))
    assert [(one.seq, one.attempt, one.is_new) for one in handler.given] == [
        (1, 1, True),
        (1, 1, False),
        (2, 1, True),
    ]


async def test_a_lease_is_held_as_long_as_the_server_receives_keep_alives(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler(lambda _: asyncio.Event().wait())
    patient = replace(QUICK, ack_wait_s=2)
    async with consuming(Consumer(log, "worker", ALL, handler, policy=patient)):
        await log.append(counters.commit(), after=0)
        await eventually(lambda: given(handler, 1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), timeout=1.25 * patient.ack_wait_s)
        assert handler.given[0].lease.holds(1)


async def test_the_send_buffer_is_reserved_for_acknowledgements_while_nats_is_away(
    nats_server: NatsServer, counters: Counters, eventually: Eventually
) -> None:
    """Neither signs of life nor hints fill the little room: the acknowledgement is kept for the server."""
    finish = asyncio.Event()
    handler = Handler(lambda _: finish.wait())
    async with connect(nats_server.url, name="test", pending_bytes=256) as connection:
        await ensure_topology(connection)
        log = NatsLog(connection, Format(counters.codec, NatsBlobs(connection)))
        await log.append(counters.commit(), after=0)
        async with consuming(Consumer(log, "worker", ALL, handler, policy=QUICK)) as working:
            await eventually(lambda: handler.given)
            await nats_server.stop()
            await eventually(lambda: not connection.is_connected)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(finish.wait(), timeout=4 * QUICK.ack_wait_s)
            for _ in range(10):
                await connection.publish_ephemeral("live.news", b"x" * 100)
            finish.set()
            await nats_server.start()
            await eventually(lambda: settled(log))
            assert not working.done()
    assert handler.attempts == [1]


@pytest.mark.parametrize("running", [True, False], ids=["while it is read", "while nobody reads"])
async def test_a_lost_consumer_continues_at_its_stored_position(
    log: NatsLog, counters: Counters, eventually: Eventually, running: bool
) -> None:
    handler = Handler()
    seqs = [await log.append(counters.commit(f"c{n}"), after=0) for n in range(3)]

    async def position_is_kept() -> bool:
        kept = await last_of(log.connection, "KV_positions", "$KV.positions.LOG-worker")
        return kept is not None and orjson.loads(kept.payload)["seq"] == seqs[-1]

    async def lose() -> None:
        await log.connection.api("CONSUMER.DELETE.LOG.worker")
        seqs.append(await log.append(counters.commit("next"), after=0))

    async with consuming(Consumer(log, "worker", ALL, handler, policy=QUICK)):
        await eventually(position_is_kept)
        if running:
            await lose()
            await eventually(lambda: len(handler.seqs) > 3)
    if not running:
        await lose()
        async with consuming(Consumer(log, "worker", ALL, handler, policy=QUICK)):
            await eventually(lambda: len(handler.seqs) > 3)
    assert handler.seqs == seqs


async def test_a_position_stored_for_another_stream_is_ignored(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    kept = {"seq": 1, "created": "2020-01-01T00:00:00Z"}
    await publish(log.connection, "$KV.positions.LOG-worker", orjson.dumps(kept), {})
    handler = Handler()
    seqs = [await log.append(counters.commit(f"c{n}"), after=0) for n in range(2)]
    async with consuming(Consumer(log, "worker", ALL, handler, policy=QUICK)):
        await eventually(lambda: len(handler.seqs) == 2)
    assert handler.seqs == seqs
