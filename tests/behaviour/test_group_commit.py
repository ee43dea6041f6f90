"""Many appends at once are stored as a batch, and each has the answer that it would have alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import product
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from contracts.runtime.log import Conflict
from contracts.runtime.nats import group_commit
from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.process.settings import Durability
from contracts.runtime.topology import allow_batches, ensure_topology
from contracts.runtime.wire import Format
from deploy.local.nats_server import NatsServer, running
from gateway.documents.cloudevents import HEADERS
from tests.behaviour.outages import OUTAGES, Fate, message_is_lost, unlucky

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters

pytestmark = [pytest.mark.nats, pytest.mark.asyncio(loop_scope="module")]

ALONE, TOGETHER = 3, 4
NAMES = [f"c{n}" for n in range(ALONE + TOGETHER)]
"""Counters whose first commits are appended at once: some are sent one by one, the rest together."""

FIRST, SECOND, LAST = ALONE + 1, ALONE + 2, ALONE + TOGETHER
"""The numbers of messages of the batch. Messages with smaller numbers are sent one by one."""
NUMBERS = (1, ALONE, FIRST, SECOND, LAST)
UNANSWERED = [(number, message_is_lost) for number in (1, ALONE, LAST)]
"""If one of them is lost, there is no answer, as from a server that stores nothing more (test_storage)."""
CASES = [case for case in product(NUMBERS, OUTAGES) if case not in UNANSWERED]


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MIN_BATCH", ALONE)
    monkeypatch.setattr(group_commit, "NEARLY_IDLE", 0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[NatsServer]:
    async with running(NatsServer(tmp_path_factory.mktemp("nats"), durability=Durability.FAST)) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def connection(shared: NatsServer) -> AsyncGenerator[Connection]:
    """A connection to a nats-server with an empty log."""
    async with connect(shared.url, name="test") as connection:
        await ensure_topology(connection)
        await connection.api("STREAM.PURGE.LOG")
        yield connection


def log_on(connection: Connection, counters: Counters) -> NatsLog:
    return NatsLog(connection, Format(counters.codec, NatsBlobs(connection)))


async def append_all(log: NatsLog, counters: Counters) -> Sequence[int]:
    return await asyncio.gather(*(log.append(counters.commit(name), after=0) for name in NAMES))


async def require_once(connection: Connection, counters: Counters, seqs: Sequence[int]) -> None:
    """The log has one commit of each counter, where its writer was told, and nothing else."""
    log = log_on(connection, counters)
    assert [[one.seq for one in await log.read("counter", name)] for name in NAMES] == [[seq] for seq in seqs]
    assert (await connection.api("STREAM.INFO.LOG"))["state"]["messages"] == len(NAMES)


async def headers_of(connection: Connection, seq: int) -> dict[str, str]:
    return (await connection.js.get_msg("LOG", seq)).headers or {}


async def batches_in(connection: Connection, seqs: Sequence[int]) -> list[str]:
    """The batch of each message, empty if it was sent alone."""
    return [(await headers_of(connection, seq)).get("Nats-Batch-Id", "") for seq in seqs]


async def test_appends_that_wait_are_stored_as_one_batch(connection: Connection, counters: Counters) -> None:
    seqs = await append_all(log_on(connection, counters), counters)
    await require_once(connection, counters, seqs)
    sent = await batches_in(connection, seqs)
    assert sent[:ALONE] == [""] * ALONE
    assert sent[ALONE:] == [sent[-1]] * TOGETHER
    assert sent[-1]


async def test_all_headers_of_a_commit_are_documented(connection: Connection, counters: Counters) -> None:
    for seq in await append_all(log_on(connection, counters), counters):
        assert (await headers_of(connection, seq)).keys() <= HEADERS["properties"].keys()


async def test_the_messages_of_a_refused_batch_are_stored_one_by_one(
    connection: Connection, counters: Counters
) -> None:
    log = log_on(connection, counters)
    before = await log.append(counters.commit(NAMES[-1]), after=0)
    writers = (log.append(counters.commit(name), after=0) for name in NAMES)
    *results, refused = await asyncio.gather(*writers, return_exceptions=True)
    assert isinstance(refused, Conflict)
    seqs = [seq for seq in results if isinstance(seq, int)] + [before]
    await require_once(connection, counters, seqs)
    assert await batches_in(connection, seqs) == [""] * len(NAMES)


async def test_a_log_without_batches_is_written_one_by_one_until_they_are_allowed(
    connection: Connection, counters: Counters
) -> None:
    config = (await connection.api("STREAM.INFO.LOG"))["config"]
    await connection.api("STREAM.UPDATE.LOG", config | {"allow_atomic": False})
    seqs = await append_all(log_on(connection, counters), counters)
    await require_once(connection, counters, seqs)
    assert await batches_in(connection, seqs) == [""] * len(NAMES)

    await allow_batches(connection)
    await connection.api("STREAM.PURGE.LOG")
    seqs = await append_all(log_on(connection, counters), counters)
    assert any(await batches_in(connection, seqs))


async def test_an_incomplete_batch_of_a_dead_writer_holds_nobody_up(
    connection: Connection, counters: Counters
) -> None:
    log = log_on(connection, counters)
    for n, name in enumerate(NAMES, 1):
        wire = await log.format.encode(counters.commit(name), 0)
        headers = {**wire.headers, "Nats-Batch-Id": "dead", "Nats-Batch-Sequence": str(n)}
        await connection.publish(wire.subject, wire.payload, headers=headers)
    await require_once(connection, counters, await append_all(log, counters))


@pytest.mark.parametrize(("number", "fate"), CASES)
async def test_an_outage_at_any_message_loses_nothing_and_repeats_nothing(
    shared: NatsServer, connection: Connection, counters: Counters, fate: Fate, number: int
) -> None:
    async with unlucky(shared) as writer:
        writer.fates = {number: fate}
        log = log_on(writer, counters)
        seqs = await append_all(log, counters)
        assert writer.unanswered >= TOGETHER - 1 or number < FIRST
        assert await log.problem() is None
    await connection.connected()
    await require_once(connection, counters, seqs)
