"""Every message is handled once, again after a retry, and never more than there is room for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import orjson
import pytest

from contracts.core.aggregate import Aggregate
from contracts.core.codec import Codec
from contracts.core.commit import Recorded
from contracts.core.event import Event
from contracts.core.outcome import Retry
from contracts.runtime.consumer.consumer import Consumer
from contracts.runtime.consumer.delivery import Delivery, DeliveryPolicy
from contracts.runtime.consumer.parking import parked_messages
from contracts.runtime.consumer.subscription import Subscription
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.publish import publish
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.stream import Origin, Stream
from contracts.runtime.wire import PUBLISHED, Format
from tests.behaviour.consumer.consuming import ALL, QUICK, SLOW, Handler, consuming, exists, settled
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


class NewerAdded(Event):
    """The next version of `counter.added`."""

    type: ClassVar[str] = "counter.added"
    version: ClassVar[int] = 2


NEWER = Aggregate[int]("counter", 0, lambda total, _: total, lambda _: "positive", (NewerAdded,))


async def test_a_new_consumer_may_start_with_recent_commits_only(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    await log.append(counters.commit("a"), after=0)
    handler = Handler()
    for since in (timedelta(days=-2), timedelta(days=7)):  # what there is keeps the start it was made with
        policy = replace(SLOW, since=since)
        async with consuming(Consumer(log, "worker", ALL, handler, policy=policy)):
            await eventually(lambda: exists(log))
    assert handler.given == []


async def test_every_commit_on_the_filters_is_handled_once(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler()
    seqs = [await log.append(counters.commit(f"c{n}", state="zero"), after=0) for n in range(5)]
    await log.append(counters.commit("other", state="positive"), after=0)
    async with consuming(Consumer(log, "worker", ["evt.counter.*.zero"], handler)):
        seqs.append(await log.append(counters.commit("late", state="zero"), after=0))
        await eventually(lambda: len(handler.given) == 6)
        await eventually(lambda: settled(log))
    assert sorted(handler.seqs) == seqs
    assert {recorded.seq for recorded in handler.commits} == set(seqs)


async def test_processes_take_turns_because_their_requests_expire_after_different_times(
    log: NatsLog, connection: Connection, eventually: Eventually
) -> None:
    times: set[int] = set()
    await connection.listen(
        "$JS.API.CONSUMER.MSG.NEXT.>", lambda body: times.add(orjson.loads(body)["expires"])
    )
    async with consuming(Consumer(log, "worker", ALL, Handler(), policy=QUICK)):
        await eventually(lambda: len(times) > 2)


@pytest.mark.parametrize("work", ["keep_alive", "save_position"])
async def test_a_consumer_that_sends_no_sign_of_life_any_more_ends(
    log: NatsLog, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    """Otherwise it would lose every message that it takes longer for."""

    async def fails(_: Subscription) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Subscription, work, fails)
    with pytest.raises(RuntimeError, match="a bug"):
        async with asyncio.timeout(WAIT_S):
            await Consumer(log, "worker", ALL, Handler(), policy=QUICK).run()


async def test_a_message_is_delivered_again_after_retry(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler(lambda delivery: Retry("later") if delivery.attempt < 4 else None)
    await log.append(counters.commit(), after=0)
    async with consuming(
        Consumer(log, "worker", ALL, handler, policy=DeliveryPolicy(backoff_s=0.01, max_deliver=2))
    ):
        await eventually(lambda: settled(log) if handler.attempts == [1, 2, 3, 4] else False)
    assert await parked_messages(log.connection) == []


async def test_a_retry_comes_no_sooner_than_it_asks(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    def behave(delivery: Delivery) -> Retry | None:
        times.append(loop.time())
        return Retry("429", after=0.25) if delivery.attempt == 1 else None

    await log.append(counters.commit(), after=0)
    async with consuming(Consumer(log, "worker", ALL, Handler(behave), policy=SLOW)):
        await eventually(lambda: len(times) == 2)
    assert times[1] - times[0] >= 0.24


async def test_a_commit_of_a_newer_version_waits_for_a_consumer_that_can_read_it(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    """A rolling upgrade: the old process neither handles nor parks it."""
    (newer,) = orjson.loads(counters.codec.encode(counters.commit("a")))
    newer["dataschema"] = "/schemas/counter.added/2"
    await publish(log.connection, "evt.counter.a.positive", orjson.dumps([newer]), PUBLISHED)
    stream = Stream(log, counters.aggregate, "a", Origin("/test/1"))
    attempts: list[int] = []

    async def decide(recorded: Recorded, delivery: Delivery) -> None:
        attempts.append(delivery.attempt)
        stream.fold(recorded)

    policy = replace(QUICK, max_deliver=2, longest_backoff_s=0.01)
    async with consuming(Consumer(log, "worker", ALL, decide, policy=policy)):
        await eventually(lambda: len(attempts) > 4)
    assert await parked_messages(log.connection) == []
    upgraded = NatsLog(log.connection, Format(Codec((NEWER,)), log.format.blobs))
    handler = Handler()
    async with consuming(Consumer(upgraded, "worker", ALL, handler, policy=QUICK)):
        await eventually(lambda: handler.commits)
        await eventually(lambda: settled(log))
    assert [event.version for one in handler.commits for event in one.commit.events] == [2]


async def test_a_long_handler_keeps_its_message(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    """It works for longer than ack_wait, and nobody else is given the message."""
    finish = asyncio.Event()
    handler = Handler(lambda _: finish.wait())
    rival = Handler()
    await log.append(counters.commit(), after=0)
    async with consuming(Consumer(log, "worker", ALL, handler, policy=QUICK)):
        await eventually(lambda: handler.given)
        async with consuming(Consumer(log, "worker", ALL, rival, policy=QUICK)):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(finish.wait(), timeout=4 * QUICK.ack_wait_s)
            finish.set()
            await eventually(lambda: settled(log))
    assert (handler.attempts, rival.attempts) == ([1], [])


async def test_a_message_delivered_again_while_it_is_handled_is_not_handled_twice(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    finish = asyncio.Event()
    handler = Handler(lambda _: finish.wait())
    await log.append(counters.commit(), after=0)
    async with consuming(Consumer(log, "worker", ALL, handler, policy=SLOW)):
        await eventually(lambda: handler.given)
        await log.connection.publish(handler.given[0].ack_subject, b"-NAK")
        await eventually(lambda: handler.given[0].attempt == 2)
        finish.set()
        await eventually(lambda: settled(log))
    assert handler.attempts == [1]


async def test_no_more_messages_are_in_progress_than_max_in_flight(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    """What one consumer has no room for is there for another."""
    finish = asyncio.Event()
    full, idle = Handler(lambda _: finish.wait()), Handler()
    for n in range(10):
        await log.append(counters.commit(f"c{n}"), after=0)
    async with consuming(Consumer(log, "worker", ALL, full, policy=DeliveryPolicy(max_in_flight=3))):
        await eventually(lambda: len(full.given) == 3)
        async with consuming(Consumer(log, "worker", ALL, idle, policy=DeliveryPolicy(max_in_flight=3))):
            await eventually(lambda: len(idle.given) == 7)
            finish.set()
            await eventually(lambda: settled(log))
    assert sorted(full.seqs + idle.seqs) == list(range(1, 11))


async def test_many_messages_are_handled_with_a_small_max_in_flight(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler()
    await asyncio.gather(*(log.append(counters.commit(f"c{n}"), after=0) for n in range(500)))
    async with consuming(Consumer(log, "worker", ALL, handler, policy=DeliveryPolicy(max_in_flight=8))):
        await eventually(lambda: settled(log) if len(handler.given) == 500 else False)
    assert sorted(handler.seqs) == list(range(1, 501))
