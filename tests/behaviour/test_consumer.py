"""What every consumer guarantees, on a real NATS."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import pytest
from nats.js.errors import NotFoundError

from contracts.core.aggregate import Aggregate
from contracts.core.commit import Codec, Recorded
from contracts.core.event import Event
from contracts.core.outcome import Reject, Retry
from contracts.runtime.consumer.consumer import Consumer
from contracts.runtime.consumer.delivery import Delivery, DeliveryPolicy
from contracts.runtime.consumer.leases import Leases
from contracts.runtime.consumer.parking import NotParked, parked_messages, retry
from contracts.runtime.log import Conflict
from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.nats.leader import last_of
from contracts.runtime.nats.publish import publish
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.stream import Origin, Stream
from contracts.runtime.topology import ensure_topology
from contracts.runtime.wire import Format
from deploy.local.nats_server import NatsServer

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


Crash = Callable[[DeliveryPolicy], Awaitable[None]]

HANGING_CONSUMER = Path(__file__).with_name("hanging_consumer.py")
ALL = ("evt.counter.>",)
QUICK = DeliveryPolicy(ack_wait_s=0.3, backoff_s=0.01, grace_s=0)
"""A message nobody keeps alive comes again within a test's patience."""
SLOW = DeliveryPolicy(ack_wait_s=300, backoff_s=0.01, grace_s=0)
"""A message comes again by nothing but a nak."""


class NewerAdded(Event):
    """The next version of `counter.added`."""

    type: ClassVar[str] = "counter.added"
    version: ClassVar[int] = 2


NEWER = Aggregate[int]("counter", 0, lambda total, _: total, lambda _: "positive", (NewerAdded,))


@dataclass
class Handler:
    """Notes what it was given, then does as it is told."""

    behave: Callable[[Delivery], Any] = lambda _: None
    given: list[Delivery] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    commits: list[Recorded] = field(default_factory=list)

    async def __call__(self, recorded: Recorded, delivery: Delivery) -> None:
        self.given.append(delivery)
        self.attempts.append(delivery.attempt)
        self.commits.append(recorded)
        answer = self.behave(delivery)
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            await answer

    @property
    def seqs(self) -> list[int]:
        return [delivery.seq for delivery in self.given]


@asynccontextmanager
async def consuming(consumer: Consumer) -> AsyncGenerator[asyncio.Task[None]]:
    task = asyncio.create_task(consumer.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def killed_consumer(nats_url: str, tmp_path: Path) -> Crash:
    """Start a consumer called `worker` in a process of its own, and kill it with a message in hand."""

    async def crash(policy: DeliveryPolicy) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(HANGING_CONSUMER),
            nats_url,
            str(policy.ack_wait_s),
            str(tmp_path / "leases"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"1\n"
        process.kill()
        await process.communicate()

    return crash


@pytest.fixture
async def stopped_consumer(nats_url: str, tmp_path: Path) -> AsyncGenerator[Crash]:
    """Start such a consumer, and stop its process without ending it: its connection stays open."""
    processes: list[asyncio.subprocess.Process] = []

    async def stop(policy: DeliveryPolicy) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(HANGING_CONSUMER),
            nats_url,
            str(policy.ack_wait_s),
            str(tmp_path / "leases"),
            stdout=asyncio.subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"1\n"
        process.send_signal(signal.SIGSTOP)

    yield stop
    for process in processes:
        process.kill()
        await process.communicate()


@pytest.fixture
def log(connection: Connection, counters: Counters) -> NatsLog:
    return NatsLog(connection, Format(counters.codec, NatsBlobs(connection)))


async def test_what_a_consumer_that_was_lost_gives_again_is_not_new(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler()
    async with consuming(Consumer(log, "worker", ALL, handler, policy=SLOW)):
        await eventually(lambda: exists(log))
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


async def test_what_is_worked_on_is_held_for_as_long_as_the_server_hears_so(
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


async def test_a_consumer_made_on_a_log_with_a_history_may_begin_with_what_is_young(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    await log.append(counters.commit("a"), after=0)
    handler = Handler()
    for since in (timedelta(days=-2), timedelta(days=7)):  # what there is keeps the start it was made with
        policy = replace(SLOW, since=since)
        async with consuming(Consumer(log, "worker", ALL, handler, policy=policy)):
            await eventually(lambda: exists(log))
    assert handler.given == []


async def exists(log: NatsLog) -> bool:
    with contextlib.suppress(NotFoundError):
        return bool(await log.connection.api("CONSUMER.INFO.LOG.worker"))
    return False


async def given(handler: Handler, count: int) -> bool:
    return len(handler.given) == count


async def outstanding(log: NatsLog, name: str = "worker") -> tuple[int, int]:
    """Messages of the consumer that are not settled, and those not delivered yet."""
    info = await log.connection.api(f"CONSUMER.INFO.LOG.{name}")
    return info["num_ack_pending"], info["num_pending"]


async def settled(log: NatsLog) -> bool:
    return await outstanding(log) == (0, 0)


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


async def test_a_retry_comes_again(log: NatsLog, counters: Counters, eventually: Eventually) -> None:
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


async def test_a_bug_is_tried_again_and_then_parked(
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


async def test_the_owner_is_told_of_what_is_given_up_after_it_was_parked(
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


async def test_what_its_owner_could_not_be_told_of_is_not_given_up(
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
async def test_a_message_that_is_no_commit_is_parked_and_the_rest_goes_on(
    log: NatsLog, counters: Counters, eventually: Eventually, payload: bytes
) -> None:
    handler = Handler()
    await log.connection.request("evt.counter.a.positive", payload)
    seq = await log.append(counters.commit("b"), after=0)
    async with consuming(Consumer(log, "worker", ALL, handler)):
        await eventually(lambda: parked_messages(log.connection))
        await eventually(lambda: settled(log))
    ((_, message),) = await parked_messages(log.connection)
    assert (message.seq, message.error) == (1, "Undecodable")
    assert handler.seqs == [seq]


async def test_a_commit_of_a_newer_version_waits_for_a_consumer_that_can_read_it(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    """A rolling upgrade: the old process neither handles nor parks it."""
    (newer,) = orjson.loads(counters.codec.encode(counters.commit("a")))
    newer["dataschema"] = "/schemas/counter.added/2"
    await publish(log.connection, "evt.counter.a.positive", orjson.dumps([newer]), {})
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


async def test_a_message_whose_large_value_is_lost_is_parked_though_nobody_can_be_told(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    (lost,) = orjson.loads(counters.codec.encode(counters.commit("a")))
    lost["data"]["note"] = {"$blob": "0" * 64, "size": 1, "mediaType": "application/json"}
    await publish(log.connection, "evt.counter.a.positive", orjson.dumps([lost]), {})

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


async def test_a_message_put_back_in_vain_is_parked_again(
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


async def test_what_is_not_parked_cannot_be_put_back(log: NatsLog) -> None:
    with pytest.raises(NotParked):
        await retry(log.connection, 1)


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


async def test_while_nats_is_away_there_is_room_for_what_counts(
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
async def test_a_consumer_that_is_lost_goes_on_where_it_was(
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


async def test_a_position_in_another_log_is_not_one_of_this(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    kept = {"seq": 1, "created": "2020-01-01T00:00:00Z"}
    await publish(log.connection, "$KV.positions.LOG-worker", orjson.dumps(kept), {})
    handler = Handler()
    seqs = [await log.append(counters.commit(f"c{n}"), after=0) for n in range(2)]
    async with consuming(Consumer(log, "worker", ALL, handler, policy=QUICK)):
        await eventually(lambda: len(handler.seqs) == 2)
    assert handler.seqs == seqs


async def test_a_process_that_fell_silent_is_not_given_its_message_again(
    log: NatsLog, counters: Counters, eventually: Eventually, stopped_consumer: Crash
) -> None:
    """Its open request ends before its lease does, so that the message goes to a process that is alive."""
    await log.append(counters.commit(), after=0)
    policy = replace(QUICK, ack_wait_s=1.0)
    await stopped_consumer(policy)
    handler = Handler()
    async with consuming(Consumer(log, "worker", ALL, handler, policy=policy)):
        await eventually(lambda: handler.attempts)
    assert handler.attempts == [2]


async def test_a_message_that_comes_again_while_in_hand_is_not_handled_twice(
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


async def test_a_killed_consumers_message_comes_again_after_ack_wait(
    log: NatsLog, counters: Counters, eventually: Eventually, killed_consumer: Crash
) -> None:
    handler = Handler()
    seq = await log.append(counters.commit(), after=0)
    await killed_consumer(QUICK)
    async with consuming(Consumer(log, "worker", ALL, handler, policy=QUICK)):
        await eventually(lambda: settled(log) if handler.given else False)
    assert (handler.seqs, handler.attempts) == ([seq], [2])


async def test_a_killed_consumers_successor_on_its_host_has_the_message_at_once(
    log: NatsLog, counters: Counters, eventually: Eventually, killed_consumer: Crash, tmp_path: Path
) -> None:
    """The successor finds what the dead process had in hand; ack_wait is far longer than this test."""
    handler = Handler()
    seq = await log.append(counters.commit(), after=0)
    await killed_consumer(SLOW)
    leases = Leases(tmp_path / "leases")
    async with consuming(Consumer(log, "worker", ALL, handler, policy=SLOW, leases=leases)):
        await eventually(lambda: settled(log) if handler.given else False)
    leases.close()
    assert (handler.seqs, handler.attempts) == ([seq], [2])
    assert list((tmp_path / "leases").iterdir()) == []


async def test_a_cancelled_consumer_sends_back_what_it_has_not_done(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    """Another one has it at once; ack_wait is far longer than this test."""
    hanging, heir = Handler(lambda _: asyncio.Event().wait()), Handler()
    seqs = [await log.append(counters.commit(f"c{n}"), after=0) for n in range(3)]
    async with consuming(Consumer(log, "worker", ALL, hanging, policy=SLOW)):
        await eventually(lambda: len(hanging.given) == 3)
    async with consuming(Consumer(log, "worker", ALL, heir, policy=SLOW)):
        await eventually(lambda: settled(log) if len(heir.given) == 3 else False)
    assert sorted(heir.seqs) == seqs


async def test_a_cancelled_consumer_lets_its_handlers_finish_within_their_grace(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    finish = asyncio.Event()
    handler = Handler(lambda _: finish.wait())
    await log.append(counters.commit(), after=0)
    consumer = Consumer(log, "worker", ALL, handler, policy=DeliveryPolicy(grace_s=60))
    async with consuming(consumer) as task:
        await eventually(lambda: handler.given)
        task.cancel()
        await eventually(lambda: consumer._subscriptions[0]._draining)
        finish.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    await eventually(lambda: settled(log))
    assert handler.attempts == [1]


async def test_what_arrives_while_a_consumer_leaves_goes_to_another_at_once(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    """Nothing is lost between the last pull and the end of the subscription; ack_wait is far away."""
    leaving, staying = Handler(), Handler()
    async with consuming(Consumer(log, "worker", ALL, leaving, policy=SLOW)) as task:
        await log.append(counters.commit("before"), after=0)
        await eventually(lambda: leaving.given)
        appends = [asyncio.create_task(log.append(counters.commit(f"c{n}"), after=0)) for n in range(50)]
        task.cancel()
        await asyncio.gather(*appends)
        async with consuming(Consumer(log, "worker", ALL, staying, policy=SLOW)):
            await eventually(lambda: settled(log))
    assert sorted(set(leaving.seqs + staying.seqs)) == list(range(1, 52))


async def test_no_more_are_taken_than_there_is_room_for(
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


async def test_many_messages_pass_quickly_through_little_room(
    log: NatsLog, counters: Counters, eventually: Eventually
) -> None:
    handler = Handler()
    await asyncio.gather(*(log.append(counters.commit(f"c{n}"), after=0) for n in range(500)))
    async with consuming(Consumer(log, "worker", ALL, handler, policy=DeliveryPolicy(max_in_flight=8))):
        await eventually(lambda: settled(log) if len(handler.given) == 500 else False)
    assert sorted(handler.seqs) == list(range(1, 501))
