"""A log that comes back shorter, or as another one, is noticed by who has read more; it takes no commits."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from contracts.runtime.continuity import LogRegressed, Mark, compare
from contracts.runtime.log import Halted, LogState
from contracts.runtime.nats_log import NatsLog, nats_log
from contracts.runtime.process.settings import Settings
from deploy.local.nats_server import NatsServer

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters
    from tests.conftest import Eventually

STATE = LogState(created="monday", last_seq=9)
MARK = Mark(seq=9, digest="d", created="monday")


@pytest.mark.parametrize(
    ("mark", "digest"),
    [
        pytest.param(MARK, "d", id="it ends there"),
        pytest.param(Mark(seq=5, digest="d", created="monday"), "d", id="it is longer"),
        pytest.param(MARK, None, id="the message was removed"),
        pytest.param(Mark(seq=9), "other", id="only a sequence is known"),
        pytest.param(Mark(created="sunday"), None, id="nothing was read"),
    ],
)
def test_a_log_that_contains_what_was_read_goes_on(mark: Mark, digest: str | None) -> None:
    assert compare(mark, STATE, digest) is None


@pytest.mark.parametrize(
    ("mark", "digest", "reason"),
    [
        pytest.param(Mark(seq=10), None, "at seq 10: it now ends at 9", id="shorter"),
        pytest.param(MARK, "other", "at seq 9: it has a different commit there now", id="another commit"),
        pytest.param(Mark(9, "d", "sunday"), "d", "created again at monday", id="another stream"),
    ],
)
def test_a_log_that_lacks_what_was_read_has_regressed(mark: Mark, digest: str | None, reason: str) -> None:
    assert reason in (compare(mark, STATE, digest) or "")


@pytest.fixture
async def log(nats_server: NatsServer, counters: Counters) -> AsyncGenerator[NatsLog]:
    async with nats_log(Settings(nats_url=nats_server.url), counters.codec, name="test") as log:
        yield log


async def three_commits(log: NatsLog, counters: Counters, server: NatsServer) -> None:
    """The log has three commits, and there is a copy of the store with one of them."""
    await log.append(counters.commit("a"), after=0)
    await server.stop()
    shutil.copytree(server.directory / "jetstream", server.directory.with_name("copy"))
    await server.start()
    for name in ("b", "c"):
        await log.append(counters.commit(name), after=0)


async def put_back_the_copy(server: NatsServer) -> None:
    """The store is that of one commit. The server is stopped."""
    await server.stop()
    shutil.rmtree(server.directory / "jetstream")
    shutil.copytree(server.directory.with_name("copy"), server.directory / "jetstream")


async def put_back_an_older_copy(
    log: NatsLog, counters: Counters, server: NatsServer, seen: asyncio.Event | None = None
) -> None:
    """The log has three commits, which are `seen`, then the store is that of one of them."""
    await three_commits(log, counters, server)
    if seen:
        await seen.wait()
    await put_back_the_copy(server)


PutBackAfter = Callable[[int], None]


@pytest.fixture
async def put_back_after(
    log: NatsLog,
    counters: Counters,
    nats_server: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
) -> PutBackAfter:
    """The log has three commits. Puts back the copy when the server has sent a number of answers.

    The next answers are about the copy.
    """
    await three_commits(log, counters, nats_server)

    def put_back_after(count: int) -> None:
        connection = log.connection
        ask, answers, interruptions = connection.api, 0, connection.interruptions

        async def asking(*question: Any, **options: Any) -> Any:
            nonlocal answers
            answer = await ask(*question, **options)
            answers += 1
            if answers == count:
                await put_back_the_copy(nats_server)
                await nats_server.start()
                await eventually(lambda: connection.interruptions > interruptions and connection.is_connected)
            return answer

        monkeypatch.setattr(connection, "api", asking)

    return put_back_after


@pytest.mark.nats
async def test_a_tail_ends_when_its_log_comes_back_shorter(
    log: NatsLog, counters: Counters, nats_server: NatsServer
) -> None:
    seen = asyncio.Event()
    async with aclosing(log.tail()) as batches:
        changing = asyncio.create_task(put_back_an_older_copy(log, counters, nats_server, seen))
        while (await anext(batches))[-1].seq < 3:
            pass
        seen.set()
        await changing
        waiting = asyncio.ensure_future(anext(batches))
        await nats_server.start()
        with pytest.raises(LogRegressed, match="at seq 3: it now ends at 1"):
            await waiting
    assert "regressed at seq 3" in (await log.state()).halted
    assert "async-agent log accept" in (await log.problem() or "")


@pytest.mark.nats
async def test_a_writer_that_has_seen_more_appends_nothing_to_a_shorter_log(
    log: NatsLog, counters: Counters, nats_server: NatsServer
) -> None:
    await put_back_an_older_copy(log, counters, nats_server)
    await nats_server.start()
    with pytest.raises(Halted, match="regressed at seq 3"):
        await log.append(counters.commit("d"), after=0)
    assert await log.last_seq() == 1


@pytest.mark.nats
@pytest.mark.parametrize("answers", range(1, 4))
async def test_a_tail_ends_when_its_log_comes_back_shorter_while_it_starts(
    log: NatsLog, put_back_after: PutBackAfter, answers: int
) -> None:
    """The answers are the state and the message to compare, and the consumer."""
    put_back_after(answers)
    async with aclosing(log.tail(after=3)) as batches:
        with pytest.raises(LogRegressed, match="at seq 3: it now ends at 1"):
            await anext(batches)


@pytest.mark.nats
@pytest.mark.parametrize("answers", range(1, 3))
async def test_a_writer_appends_nothing_to_a_log_that_comes_back_shorter_while_it_is_checked(
    log: NatsLog,
    counters: Counters,
    nats_server: NatsServer,
    eventually: Eventually,
    put_back_after: PutBackAfter,
    answers: int,
) -> None:
    """The answers are the state and the message to compare."""
    interruptions = log.connection.interruptions
    await nats_server.stop()
    await eventually(lambda: log.connection.interruptions > interruptions)
    await nats_server.start()
    put_back_after(answers)
    with pytest.raises(Halted, match="regressed at seq 3"):
        await log.append(counters.commit("d"), after=0)


@pytest.mark.nats
async def test_state_and_digest_are_of_one_log(log: NatsLog, put_back_after: PutBackAfter) -> None:
    put_back_after(1)
    state, digest = await log.state_and_digest(3)
    assert (state.last_seq, digest) == (1, None)


@pytest.mark.nats
@pytest.mark.parametrize("answers", range(1, 3))
async def test_a_tail_misses_nothing_of_a_log_that_is_replaced_while_its_commits_are_counted(
    log: NatsLog, counters: Counters, put_back_after: PutBackAfter, answers: int
) -> None:
    """The answers are the end of the log and the number of its commits. The reader has seen none before."""
    reader = NatsLog(log.connection, log.format)
    put_back_after(answers)
    async with aclosing(reader.tail("evt.counter.*.positive")) as batches:
        assert [one.commit.aggregate_id for one in await anext(batches)] == ["a"]
        await NatsLog(log.connection, log.format).append(counters.commit("d"), after=0)
        assert [one.commit.aggregate_id for one in await anext(batches)] == ["d"]


@pytest.mark.nats
async def test_a_halted_log_is_still_halted_after_a_restart_and_for_everybody(
    log: NatsLog, counters: Counters, nats_server: NatsServer
) -> None:
    await put_back_an_older_copy(log, counters, nats_server)
    await nats_server.start()
    with pytest.raises(Halted):
        await log.append(counters.commit("d"), after=0)
    await nats_server.stop()
    await nats_server.start()
    async with nats_log(Settings(nats_url=nats_server.url), counters.codec, name="other") as other:
        with pytest.raises(Halted):
            await other.append(counters.commit("e"), after=0)
        await other.accept()
        assert await other.append(counters.commit("e"), after=0) == 2
