"""A process that is killed, stopped, silent or cancelled in the middle of its work."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.runtime.consumer.consumer import Consumer
from contracts.runtime.consumer.delivery import DeliveryPolicy
from contracts.runtime.consumer.leases import Leases
from contracts.runtime.nats_log import NatsLog
from tests.behaviour.consumer.consuming import ALL, QUICK, SLOW, Handler, consuming, settled
from tests.forked.python import SERVICES, ForkedPython

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


Crash = Callable[[DeliveryPolicy], Awaitable[None]]
HANGING_CONSUMER = Path(__file__).with_name("hanging_consumer.py")


@pytest.fixture
async def killed_consumer(forked_python: ForkedPython, nats_url: str, tmp_path: Path) -> Crash:
    """Start a consumer called `worker` in a process of its own, and kill it with a message in hand."""

    async def crash(policy: DeliveryPolicy) -> None:
        process = await asyncio.create_subprocess_exec(
            forked_python.with_imports(*SERVICES),
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


async def test_a_stopped_process_does_not_receive_its_own_message_again(
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


async def test_a_killed_consumers_message_is_delivered_again_after_ack_wait(
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


async def test_messages_that_arrive_while_a_consumer_stops_go_to_another_at_once(
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
