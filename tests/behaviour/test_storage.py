"""A server that cannot store commits is reported at once, and so is the end of that."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contracts.runtime import key_value, nats_log
from contracts.runtime.log import StorageFailed
from contracts.runtime.nats.connection import connect
from contracts.runtime.nats.group_commit import MIN_BATCH
from contracts.runtime.nats.publish import publish
from contracts.runtime.nats.retry import NoAnswer
from contracts.runtime.nats.storage import Storage
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.topology import ensure_topology
from contracts.runtime.wire import Format
from deploy.local.nats_config import NO_LIMIT
from deploy.local.nats_server import NatsServer, running

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters

pytestmark = pytest.mark.nats


class SmallServer(NatsServer):
    """A server that stores one megabyte."""

    def _configuration(self) -> str:
        return super()._configuration().replace(NO_LIMIT, "1MB")


@asynccontextmanager
async def log_on(server: NatsServer, counters: Counters) -> AsyncGenerator[NatsLog]:
    """A log that waits longer than any test for an answer."""
    async with connect(server.url, name="test") as connection:
        await ensure_topology(connection)
        yield NatsLog(connection, Format(counters.codec, NatsBlobs(connection)), deadline_s=3600)


async def fill(log: NatsLog, subject: str = "evt.filler.f.x") -> None:
    """Send to a stream, by default that of the log, until the server stores nothing more."""
    answer = b""
    while b"error" not in answer:
        try:
            message = await log.connection.request(subject, os.urandom(500_000), timeout_s=2)
        except NoAnswer:
            return
        answer = message.data


async def append_many(log: NatsLog, counters: Counters) -> Sequence[int | BaseException]:
    """Append the first commits of so many counters at once that some of them wait for a batch."""
    writers = (log.append(counters.commit(f"c{n}"), after=0) for n in range(3 * MIN_BATCH))
    return await asyncio.gather(*writers, return_exceptions=True)


def messages_of(server: NatsServer, stream: str = "LOG") -> Path:
    """The directory of the stream's messages."""
    (directory,) = server.directory.glob(f"**/{stream}/msgs")
    return directory


async def break_writes(log: NatsLog, server: NatsServer, stream: str, subject: str) -> None:
    """Let a write to the disk of the stream fail once. It stores nothing from then on."""
    directory = messages_of(server, stream)
    away = directory.rename(directory.with_name("away"))
    await fill(log, subject)
    away.rename(directory)


async def test_a_reached_limit_is_a_problem_until_there_is_room(tmp_path: Path, counters: Counters) -> None:
    async with running(SmallServer(tmp_path)) as server, log_on(server, counters) as log:
        await log.append(counters.commit("a"), after=0)
        assert await log.problem() is None
        await fill(log)
        with pytest.raises(StorageFailed, match=r"insufficient resources.*10023.*max_file_store"):
            await log.append(counters.commit("b"), after=0)
        assert "insufficient resources" in (await log.problem() or "")
        await log.connection.api("STREAM.PURGE.LOG", {"keep": 1})
        assert await log.problem() is None
        await log.append(counters.commit("b"), after=0)


async def test_a_failed_write_is_a_problem_until_the_server_is_started_again(
    nats_server: NatsServer, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stays silent, also when the disk is well again; the append does not wait for it."""
    monkeypatch.setattr(nats_log, "ATTEMPT_S", 0.2)
    async with log_on(nats_server, counters) as log:
        await log.append(counters.commit("a"), after=0)
        await break_writes(log, nats_server, "LOG", "evt.filler.f.x")
        for _ in range(2):
            with pytest.raises(StorageFailed, match="restart nats-server"):
                await log.append(counters.commit("b"), after=0)
        assert "restart nats-server" in (await log.problem() or "")
        await nats_server.kill()
        await nats_server.start()
        await log.connection.connected()
        assert await log.problem() is None
        await log.append(counters.commit("b"), after=0)
        assert len(await log.read("counter", "b")) == 1


async def test_many_appends_at_once_are_all_refused_while_the_limit_is_reached(
    tmp_path: Path, counters: Counters
) -> None:
    async with running(SmallServer(tmp_path)) as server, log_on(server, counters) as log:
        await fill(log)
        results = await append_many(log, counters)
        assert {type(result) for result in results} == {StorageFailed}
        await log.connection.api("STREAM.PURGE.LOG", {"keep": 0})
        results = await append_many(log, counters)
        assert {type(result) for result in results} == {int}


async def test_many_appends_at_once_are_all_refused_after_a_failed_write(
    nats_server: NatsServer, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_log, "ATTEMPT_S", 0.2)
    async with log_on(nats_server, counters) as log:
        await break_writes(log, nats_server, "LOG", "evt.filler.f.x")
        results = await append_many(log, counters)
        assert {type(result) for result in results} == {StorageFailed}
        await nats_server.kill()
        await nats_server.start()
        await log.connection.connected()
        results = await append_many(log, counters)
        assert {type(result) for result in results} == {int}


async def test_a_failed_write_of_a_large_value_is_reported_before_the_deadline(
    nats_server: NatsServer, counters: Counters
) -> None:
    async with log_on(nats_server, counters) as log:
        blobs = NatsBlobs(log.connection, deadline_s=3600, attempt_s=0.2)
        await blobs.put(b"x", "text/plain")
        await break_writes(log, nats_server, "OBJ_blobs", "$O.blobs.C.filler")
        with pytest.raises(StorageFailed, match="restart nats-server"):
            await blobs.put(b"y", "text/plain")


async def test_a_failed_write_of_a_key_is_reported_before_the_deadline(
    nats_server: NatsServer, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_value, "DEADLINE_S", 3600)
    async with log_on(nats_server, counters) as log:
        values = key_value.NatsKeyValue(log.connection)
        await values.put("a", b"x", after=0)
        await break_writes(log, nats_server, "KV_requests", "$KV.requests.filler")
        with pytest.raises(StorageFailed, match="restart nats-server"):
            await values.put("b", b"y", after=0)


async def test_an_append_whose_answer_was_only_late_is_not_a_failure(
    nats_server: NatsServer, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with log_on(nats_server, counters) as log:
        request = log.connection.request

        async def late(subject: str, *args: Any, **options: Any) -> Any:
            answer = await request(subject, *args, **options)
            if b'"seq":1' in answer.data and subject.startswith("evt."):
                raise NoAnswer("the acknowledgement is late")
            return answer

        monkeypatch.setattr(log.connection, "request", late)
        assert await log.append(counters.commit("a"), after=0) == 1
        assert await log.problem() is None


async def test_an_append_is_not_a_failure_while_it_is_unknown_whether_it_is_stored(
    nats_server: NatsServer, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is only slow: the acknowledgement is late, and so is the first read of the log."""
    async with log_on(nats_server, counters) as log:
        request = log.connection.request
        slow = {"evt.": 1, "$JS.API.STREAM.MSG.GET.LOG": 1}

        async def late(subject: str, *args: Any, **options: Any) -> Any:
            answer = await request(subject, *args, **options)
            for prefix, times in slow.items():
                if subject.startswith(prefix) and times:
                    slow[prefix] -= 1
                    raise NoAnswer("the answer is late")
            return answer

        monkeypatch.setattr(log.connection, "request", late)
        assert await log.append(counters.commit("a"), after=0) == 1
        assert not any(slow.values())
        assert await log.problem() is None


async def test_a_stream_that_grows_has_no_problem(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process has stored a message since."""
    async with connect(nats_server.url, name="test") as connection:
        await ensure_topology(connection)
        request = connection.request

        async def lost(subject: str, payload: bytes, *args: Any, **options: Any) -> Any:
            if payload == b"lost":
                raise NoAnswer("no acknowledgement")
            return await request(subject, payload, *args, **options)

        monkeypatch.setattr(connection, "request", lost)
        storage = Storage(connection, partial(publish, connection), replicated=False)
        with pytest.raises(StorageFailed):
            await storage.store("evt.counter.a.positive", b"lost", {}, timeout_s=1)
        assert await storage.problem(7)
        assert await storage.problem(7)
        assert await storage.problem(8) is None
