"""Questions that expire while their run waits, on a log in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from contracts.core.event import Event
from contracts.core.subjects import commit_subject, state_filter
from contracts.domain import run
from contracts.domain.run import RUN, Status
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, Stream
from scheduler.expiries import Expiries
from tests import jobs
from tests.any_source import CODEC
from tests.services.scheduler.conftest import START, FakeClock, FlakyLog
from tests.waiting import WAIT_S

MINUTE = timedelta(minutes=1)


async def append(log: MemoryLog, *events: Event, id_: str = "r") -> None:
    stream = await Stream.open(log, RUN, id_, Origin("/test/1"))
    await stream.append(events)


async def wait_for_a_person(log: MemoryLog, id_: str = "r", minutes: int = 1) -> None:
    asked = run.Asked(
        step="001",
        attempt=1,
        kind="question",
        title="Who?",
        tool="noop",
        params_sha256="0" * 64,
        why="",
        expires_at=START + minutes * MINUTE,
    )
    await append(
        log,
        run.Requested(dag_id="d", original_request="do it", job=jobs.job()),
        run.Started(executor="e", at=START, synthesis="merge"),
        run.StepsStarted(steps=("001",)),
        asked,
        run.Waiting(until=asked.expires_at),
        id_=id_,
    )


@asynccontextmanager
async def working(log: MemoryLog, clock: FakeClock) -> AsyncIterator[None]:
    expiries = Expiries(log, "/scheduler/1", clock)
    workers = [asyncio.create_task(expiries.follow()), asyncio.create_task(expiries.run())]
    try:
        yield
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)


async def status(log: MemoryLog, expected: Status, id_: str = "r") -> None:
    """Return when a commit left the run in this state."""
    async with asyncio.timeout(WAIT_S):
        async for batch in log.tail(state_filter(RUN.name, expected), after=0):
            if any(one.commit.aggregate_id == id_ and one.commit.version > 1 for one in batch):
                return


async def test_a_question_expires_and_its_run_goes_on() -> None:
    log, clock = MemoryLog(CODEC), FakeClock()
    await wait_for_a_person(log)
    async with working(log, clock):
        await clock.set(START + MINUTE)
        await status(log, Status.PENDING)
    (closed,) = [one for one in await log.read("run", "r") if one.commit.source == "/scheduler/1"]
    assert [type(event) for event in closed.commit.events] == [run.AskExpired]
    assert closed.commit.actor == "service:scheduler"


async def test_the_next_scheduler_closes_questions_that_expired_meanwhile() -> None:
    log, clock = MemoryLog(CODEC), FakeClock()
    await wait_for_a_person(log)
    await clock.set(START + 60 * MINUTE)
    async with working(log, clock):
        await status(log, Status.PENDING)


async def test_two_schedulers_close_a_question_once() -> None:
    log, clock = MemoryLog(CODEC), FakeClock()
    await wait_for_a_person(log)
    await wait_for_a_person(log, "later", minutes=2)
    async with working(log, clock), working(log, clock):
        await clock.set(START + MINUTE)
        await status(log, Status.PENDING)
        await clock.set(START + 2 * MINUTE)
        await status(log, Status.PENDING, "later")
    events = [event for one in await log.read("run", "r") for event in one.commit.events]
    assert sum(isinstance(event, run.AskExpired) for event in events) == 1


async def test_an_answered_question_does_not_expire() -> None:
    log, clock = MemoryLog(CODEC), FakeClock()
    await wait_for_a_person(log)
    await wait_for_a_person(log, "later")
    answered = run.Answered(
        step="001", attempt=1, verdict="answer", params_sha256="0" * 64, value="me", by="anonymous", at=START
    )
    await append(log, answered)
    async with working(log, clock):
        await clock.set(START + MINUTE)
        await status(log, Status.PENDING, "later")
    assert (await Stream.open(log, RUN, "r", Origin("/test/1"))).state.asks.closed["001"] == answered


async def test_a_message_that_is_not_a_commit_keeps_no_question_open() -> None:
    log, clock = MemoryLog(CODEC), FakeClock()
    await log.inject(commit_subject(RUN.name, "other", Status.WAITING), b"garbage")
    await wait_for_a_person(log)
    async with working(log, clock):
        await clock.set(START + MINUTE)
        await status(log, Status.PENDING)


async def test_an_expiry_waits_while_the_log_is_away() -> None:
    log, clock = FlakyLog(), FakeClock()
    await wait_for_a_person(log)
    async with working(log, clock):
        log.away = True
        await clock.set(START + MINUTE)
        async with asyncio.timeout(WAIT_S):
            await log.refused.wait()
        log.away = False
        await clock.set(START + 2 * MINUTE)
        await status(log, Status.PENDING)
