"""A blob that `put` has returned is whole, whatever became of any message on the way."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from hashlib import sha256

import pytest
import pytest_asyncio

from contracts.core.event import BlobRef
from contracts.runtime.log import Unavailable
from contracts.runtime.nats.connection import connect
from contracts.runtime.nats_blobs import BUCKET, CHUNK_BYTES, NatsBlobs
from contracts.runtime.process.settings import Durability
from contracts.runtime.topology import ensure_topology
from deploy.local.nats_server import NatsServer, running
from tests.behaviour.outages import (
    OUTAGES,
    Fate,
    WriterDied,
    answer_is_lost,
    message_is_lost,
    server_stalls,
    unlucky,
    writer_dies_after,
    writer_dies_before,
)

pytestmark = [pytest.mark.nats, pytest.mark.asyncio(loop_scope="module")]

DATA = random.Random(2).randbytes(CHUNK_BYTES + 1)
MESSAGES = 7
"""That `put` sends: it looks for the meta message and the chunks, writes two chunks and the meta message, and
reads both back."""
EACH_MESSAGE = range(1, MESSAGES + 1)


async def require_whole(server: NatsServer, reference: BlobRef) -> None:
    """The blob is whole for us, and for any other reader of object stores; no chunk is there twice."""
    async with connect(server.url, name="reader") as connection:
        assert await NatsBlobs(connection).get(reference) == DATA
        assert (await (await connection.js.object_store(BUCKET)).get(reference.blob)).data == DATA
        state = (await connection.api(f"STREAM.INFO.OBJ_{BUCKET}"))["state"]
        assert state["messages"] == 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[NatsServer]:
    async with running(NatsServer(tmp_path_factory.mktemp("nats"), durability=Durability.FAST)) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def server(shared: NatsServer) -> NatsServer:
    """A nats-server that has our streams, and no blob."""
    async with connect(shared.url, name="topology") as connection:
        await ensure_topology(connection)
        await connection.api(f"STREAM.PURGE.OBJ_{BUCKET}")
    return shared


async def test_a_blob_is_stored_with_the_expected_number_of_messages(server: NatsServer) -> None:
    async with unlucky(server) as connection:
        await NatsBlobs(connection).put(DATA, "text/plain")
        assert connection.sent == MESSAGES


@pytest.mark.parametrize("number", EACH_MESSAGE)
@pytest.mark.parametrize("fate", OUTAGES)
async def test_an_outage_at_any_message_loses_nothing(server: NatsServer, fate: Fate, number: int) -> None:
    async with unlucky(server) as connection:
        connection.fates = {number: fate}
        reference = await NatsBlobs(connection).put(DATA, "text/plain")
    await require_whole(server, reference)


@pytest.mark.parametrize("fate", [answer_is_lost, server_stalls])
async def test_outages_at_all_messages_in_turn_lose_nothing(server: NatsServer, fate: Fate) -> None:
    """Every second message meets it, so that each try gets a little further than the one before."""
    async with unlucky(server) as connection:
        connection.fates = dict.fromkeys(range(2, 40, 4), fate)
        reference = await NatsBlobs(connection).put(DATA, "text/plain")
    await require_whole(server, reference)


@pytest.mark.parametrize("number", EACH_MESSAGE)
@pytest.mark.parametrize("fate", [writer_dies_before, writer_dies_after])
async def test_the_next_writer_completes_a_blob_that_a_dead_writer_left_incomplete(
    server: NatsServer, fate: Fate, number: int
) -> None:
    async with unlucky(server) as connection:
        connection.fates = {number: fate}
        with pytest.raises(WriterDied):
            await NatsBlobs(connection).put(DATA, "text/plain")
    async with connect(server.url, name="next") as connection:
        reference = await NatsBlobs(connection).put(DATA, "text/plain")
    await require_whole(server, reference)


async def test_blobs_whose_stream_was_deleted_say_so_at_once(server: NatsServer) -> None:
    async with connect(server.url, name="test") as connection:
        await connection.api("STREAM.DELETE.OBJ_blobs")
        blobs = NatsBlobs(connection, deadline_s=3600)
        with pytest.raises(Unavailable, match="the stream OBJ_blobs does not exist"):
            await blobs.put(DATA, "text/plain")
        with pytest.raises(Unavailable, match="the stream OBJ_blobs does not exist"):
            await blobs.get(BlobRef(blob=sha256(DATA).hexdigest(), size=len(DATA)))


async def test_a_put_that_times_out_raises_and_can_be_repeated(server: NatsServer) -> None:
    async with unlucky(server) as connection:
        blobs = NatsBlobs(connection, deadline_s=0.2)
        connection.fates = dict.fromkeys(range(6, 1000), message_is_lost)
        with pytest.raises(Unavailable):
            await blobs.put(DATA, "text/plain")
        connection.fates = {}
        reference = await blobs.put(DATA, "text/plain")
    await require_whole(server, reference)
