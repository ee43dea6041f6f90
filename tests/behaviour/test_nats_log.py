"""What only a log on NATS has to guarantee."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from nats.aio.msg import Msg

from contracts.core.codec import Undecodable
from contracts.core.event import BlobRef
from contracts.runtime.consumer.parking import NotParked, parked_messages, retry
from contracts.runtime.log import OFFLOAD_BYTES, Unavailable
from contracts.runtime.nats import direct, few
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.retry import NoAnswer
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.wire import Format
from tests.behaviour.tails import Inject, first, injecting

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters


pytestmark = pytest.mark.nats


@pytest.fixture
def log(connection: Connection, counters: Counters) -> NatsLog:
    return NatsLog(connection, Format(counters.codec, NatsBlobs(connection)))


@pytest.fixture
def inject(connection: Connection) -> Inject:
    return injecting(connection)


@pytest.mark.parametrize("others", [0, 2], ids=["alone", "others followed"])
async def test_a_lost_ack_is_asked_for_again(
    log: NatsLog, counters: Counters, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """The commit landed, its ack did not arrive, and others may have appended since: it is still ours."""
    request = log.connection.request
    acks: list[int] = []

    async def forgetful(subject: str, *args: Any, **options: Any) -> Msg:
        answer = await request(subject, *args, **options)
        if not acks and subject.startswith("evt."):
            acks.append(orjson.loads(answer.data)["seq"])
            for version in range(2, 2 + others):
                acks.append(await log.append(counters.commit("a", version=version), after=acks[-1]))
            raise NoAnswer("the ack was lost")
        return answer

    monkeypatch.setattr(log.connection, "request", forgetful)
    assert await log.append(counters.commit("a"), after=0) == acks[0]
    assert [one.seq for one in await log.read("counter", "a")] == acks


async def test_a_removed_message_does_not_count_as_the_newest(log: NatsLog, counters: Counters) -> None:
    first_seq, *removed = [await log.append(counters.commit(f"c{n}"), after=0) for n in range(3)]
    for seq in removed:
        await log.connection.api("STREAM.MSG.DELETE.LOG", {"seq": seq})
    assert await log.last_seq() == first_seq
    assert (await log.state()).last_seq == removed[-1]


async def test_a_message_that_is_not_a_commit_is_parked_once_for_all_readers(
    log: NatsLog, counters: Counters, inject: Inject
) -> None:
    await log.append(counters.commit("a"), after=0)
    seq = await inject("evt.counter.a.positive", b"garbage")
    for _ in range(2):
        other = NatsLog(log.connection, log.format)
        await first(other, 2)
    ((number, message),) = await parked_messages(log.connection)
    assert (message.consumer, message.seq, message.payload) == ("readers", seq, "garbage")
    with pytest.raises(NotParked, match=f"nats stream rmm LOG {seq}.*nats stream rmm PARKED {number}"):
        await retry(log.connection, number)


async def test_a_message_that_is_not_a_commit_refuses_a_decision_and_says_what_to_do(
    log: NatsLog, inject: Inject
) -> None:
    await inject("evt.counter.a.positive", b"garbage")
    with pytest.raises(Undecodable, match=r"message 1 of the log.*nats stream rmm LOG 1"):
        await log.read("counter", "a")


async def test_a_tail_waits_for_a_large_value_that_cannot_be_fetched_now(
    log: NatsLog, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = counters.commit("a", counters.added(note="x" * OFFLOAD_BYTES))
    await log.append(commit, after=0)
    fetched = log.format.blobs.get_json
    tries: list[BlobRef] = []

    async def away(reference: BlobRef) -> Any:
        tries.append(reference)
        if len(tries) < 3:
            raise Unavailable("the object store is away")
        return await fetched(reference)

    monkeypatch.setattr(log.format.blobs, "get_json", away)
    assert [one.commit for one in await first(log, 1)] == [commit]


@pytest.mark.parametrize(
    "ask",
    [
        lambda log, _: log.last_seq(),
        lambda log, _: log.last_seq("evt.counter.>"),
        lambda log, _: log.newest("counter", "a"),
        lambda log, _: log.read("counter", "a"),
        lambda log, counters: log.append(counters.commit("a"), after=0),
    ],
    ids=["last_seq", "last_seq of a filter", "newest", "read", "append"],
)
@pytest.mark.parametrize("replicated", [False, True])
async def test_a_deleted_log_is_reported_at_once(
    connection: Connection, counters: Counters, ask: Callable[..., Awaitable[Any]], replicated: bool
) -> None:
    form = Format(counters.codec, NatsBlobs(connection))
    log = NatsLog(connection, form, replicated=replicated, deadline_s=3600)
    await log.connection.api("STREAM.DELETE.LOG")
    with pytest.raises(Unavailable, match="the stream LOG does not exist"):
        await ask(log, counters)
    assert "the stream LOG does not exist" in (await log.problem() or "")


async def test_an_aggregate_longer_than_a_batch_is_read_whole(
    log: NatsLog, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "BATCH", 2)
    seq, seqs = 0, []
    for version in range(1, 6):
        seq = await log.append(counters.commit("a", version=version), after=seq)
        seqs.append(seq)
    assert [one.seq for one in await log.read("counter", "a")] == seqs


async def test_a_tail_with_a_filter_starts_by_sequence(log: NatsLog, counters: Counters) -> None:
    """A consumer that starts at the end instead makes the server search the whole log for the filter."""
    for n in range(3):
        await log.append(counters.commit(f"c{n}"), after=0)
    async with aclosing(log.tail("evt.counter.>", after=2)) as batches:
        await anext(batches)
        assert await started(log) == 3


async def test_a_tail_of_few_commits_searches_only_what_comes_after_them(
    log: NatsLog, counters: Counters
) -> None:
    """A consumer looks through the whole log after the last message on its filter."""
    seqs = [await log.append(counters.commit(f"c{n}"), after=0) for n in range(3)]
    end = await log.append(counters.commit("other", state="ignored"), after=0)
    async with aclosing(log.tail("evt.counter.*.positive")) as batches:
        assert [one.seq for one in await anext(batches)] == seqs
        later = await log.append(counters.commit("d"), after=0)
        assert [one.seq for one in await anext(batches)] == [later]
        assert await started(log) == end + 1


@pytest.mark.parametrize("case", ["many", "one is missing", "not answered"])
async def test_a_tail_of_commits_that_cannot_be_read_beforehand_has_them_all(
    log: NatsLog, counters: Counters, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    seqs = [await log.append(counters.commit(f"c{n}"), after=0) for n in range(3)]
    await log.append(counters.commit("other", state="ignored"), after=0)

    async def incomplete(*args: Any, **options: Any) -> Any:
        if case == "not answered":
            raise NoAnswer("away")
        return (await direct.stored(*args, **options))[:-1]

    if case == "many":
        monkeypatch.setattr(few, "BATCH", 2)
    else:
        monkeypatch.setattr(few, "stored", incomplete)
    read: list[int] = []
    async with aclosing(log.tail("evt.counter.*.positive")) as batches:
        while len(read) < len(seqs):
            read += [one.seq for one in await anext(batches)]
        assert await started(log) == (3 if case == "one is missing" else 1)
    assert read == seqs


async def started(log: NatsLog) -> int:
    """The sequence at which the only consumer of the log has started."""
    (consumer,) = (await log.connection.api("CONSUMER.LIST.LOG"))["consumers"]
    assert consumer["config"]["deliver_policy"] == "by_start_sequence"
    return int(consumer["config"]["opt_start_seq"])
