"""What is given up: parked with its reason, told to its owner, and put back by an operator."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from contracts.core.commit import Recorded
from contracts.core.outcome import Reject, Retry
from contracts.runtime.consumer.consumer import Consumer
from contracts.runtime.consumer.delivery import DeliveryPolicy
from contracts.runtime.consumer.parking import NotParked, parked_messages, retry
from contracts.runtime.log import Conflict
from contracts.runtime.nats.publish import publish
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.stream import Origin, Stream
from contracts.runtime.wire import PUBLISHED
from tests.behaviour.consumer.consuming import ALL, QUICK, SLOW, Handler, consuming, settled

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


async def test_a_rejected_message_is_parked_with_its_reason(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler(lambda _: Reject("the plan has no steps"))
    seq = await log.append(counters.commit("a", counters.added(remark="look here")), after=0)
    async with consuming(Consumer(log, "worker", ALL, handler)):
        await eventually(lambda: settled(log) if handler.given else False)
    ((_, message),) = await parked_messages(log.connection)
    assert (message.consumer, message.seq, message.subject) == ("worker", seq, "evt.counter.a.positive")
    assert (message.error, message.reason, message.attempt) == ("Reject", "the plan has no steps", 1)
    assert message.payload[0]["data"]["remark"] == "look here"
    assert handler.attempts == [1]


async def test_a_message_that_meets_a_bug_is_retried_and_then_parked(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler(lambda _: ZeroDivisionError("oops"))
    await log.append(counters.commit(), after=0)
    async with consuming(
        Consumer(log, "worker", ALL, handler, policy=DeliveryPolicy(backoff_s=0.01, max_deliver=3))
    ):
        await eventually(lambda: parked_messages(log.connection))
        await eventually(lambda: settled(log))
    ((_, message),) = await parked_messages(log.connection)
    assert (message.error, message.attempt) == ("ZeroDivisionError", 3)
    assert handler.attempts == [1, 2, 3]


async def test_given_up_is_called_after_the_message_was_parked(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler(lambda _: ZeroDivisionError("oops"))
    told: list[tuple[int, str, int]] = []

    async def given_up(recorded: Recorded, error: BaseException) -> None:
        told.append((recorded.seq, str(error), len(await parked_messages(log.connection))))

    seq = await log.append(counters.commit(), after=0)
    policy = DeliveryPolicy(backoff_s=0.01, max_deliver=2)
    async with consuming(Consumer(log, "worker", ALL, handler, policy=policy, given_up=given_up)):
        await eventually(lambda: settled(log) if told else False)
    assert told == [(seq, "oops", 1)]


async def test_a_message_stays_if_given_up_fails(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    """The owner is busy, then raises a bug of its own; the message comes again each time."""
    handler = Handler(lambda delivery: Reject("broken") if delivery.attempt < 4 else None)
    answers = iter([Retry("busy", after=0), ZeroDivisionError("oops")])

    async def given_up(_: Recorded, __: BaseException) -> None:
        for answer in answers:
            raise answer

    await log.append(counters.commit(), after=0)
    async with consuming(Consumer(log, "worker", ALL, handler, policy=SLOW, given_up=given_up)):
        await eventually(lambda: settled(log) if handler.given else False)
    assert handler.attempts == [1, 2, 3]
    assert len(await parked_messages(log.connection)) == 1


async def test_a_handler_that_cancels_itself_has_a_bug(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler(lambda _: asyncio.CancelledError())
    await log.append(counters.commit(), after=0)
    async with consuming(
        Consumer(log, "worker", ALL, handler, policy=DeliveryPolicy(backoff_s=0.01, max_deliver=2))
    ):
        await eventually(lambda: parked_messages(log.connection))
    assert handler.attempts == [1, 2]


async def test_a_conflict_is_never_parked(log: NatsLog, counters: Counters, eventually: Eventually) -> None:
    """It is not the message's fault that others write too."""
    handler = Handler(lambda delivery: Conflict("again") if delivery.attempt < 4 else None)
    await log.append(counters.commit(), after=0)
    async with consuming(
        Consumer(log, "worker", ALL, handler, policy=DeliveryPolicy(backoff_s=0.01, max_deliver=1))
    ):
        await eventually(lambda: settled(log) if handler.attempts == [1, 2, 3, 4] else False)
    assert await parked_messages(log.connection) == []


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not json",
        b"[]",
        b"[1]",
        b"\xff\x00",
        b'[{"type": "counter.x"}]',
        b'[{"$blob": 1}]',
        b'[{"type": 1}]',
    ],
)
async def test_a_message_that_is_not_a_commit_is_parked_and_the_rest_goes_on(
    log: NatsLog, counters: Counters, eventually: Eventually, payload: bytes
) -> None:
    handler = Handler()
    await publish(log.connection, "evt.counter.a.positive", payload, PUBLISHED)
    seq = await log.append(counters.commit("b"), after=0)
    async with consuming(Consumer(log, "worker", ALL, handler)):
        await eventually(lambda: parked_messages(log.connection))
        await eventually(lambda: settled(log))
    ((_, message),) = await parked_messages(log.connection)
    assert (message.seq, message.error) == (1, "Undecodable")
    assert handler.seqs == [seq]


async def test_a_message_whose_large_value_is_lost_is_parked_without_calling_given_up(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    (lost,) = orjson.loads(counters.codec.encode(counters.commit("a")))
    lost["data"]["note"] = {"$blob": "0" * 64, "size": 1, "mediaType": "application/json"}
    await publish(log.connection, "evt.counter.a.positive", orjson.dumps([lost]), PUBLISHED)

    async def decide(recorded: Recorded, _: Any) -> None:
        Stream(log, counters.aggregate, "a", Origin("/test/1")).fold(recorded)

    policy = replace(QUICK, max_deliver=2)
    async with consuming(Consumer(log, "worker", ALL, decide, policy=policy, given_up=decide)):
        await eventually(lambda: parked_messages(log.connection))
        await eventually(lambda: settled(log))
    ((_, message),) = await parked_messages(log.connection)
    assert (message.error, message.attempt) == ("UnreadHistory", 2)


async def test_a_parked_message_that_is_put_back_is_handled_and_gone(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    broken = True
    handler = Handler(lambda _: Reject("broken") if broken else None)
    seq = await log.append(counters.commit(), after=0)
    async with consuming(Consumer(log, "worker", ALL, handler)):
        ((number, _),) = await eventually(lambda: parked_messages(log.connection))
        broken = False
        await retry(log.connection, number)
        await eventually(lambda: len(handler.given) == 2)
    assert (handler.seqs, handler.attempts) == ([seq, seq], [1, 1])
    assert handler.commits[0] == handler.commits[1]
    assert await parked_messages(log.connection) == []


async def test_a_message_that_was_put_back_and_fails_again_is_parked_again(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler(lambda _: Reject("broken"))
    await log.append(counters.commit("a"), after=0)
    async with consuming(Consumer(log, "worker", ALL, handler)):
        ((number, first),) = await eventually(lambda: parked_messages(log.connection))
        await retry(log.connection, number)
        await eventually(lambda: len(handler.given) == 2)
        ((again, second),) = await eventually(lambda: parked_messages(log.connection))
    assert again > number
    assert (second.seq, second.subject) == (first.seq, first.subject)


async def test_only_a_parked_message_can_be_put_back(log: NatsLog) -> None:
    with pytest.raises(NotParked):
        await retry(log.connection, 1)
