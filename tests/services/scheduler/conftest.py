"""A scheduler on a log in memory, with a clock that goes when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.core.aggregate import Aggregate
from contracts.core.commit import Commit, Recorded, all_events
from contracts.core.event import Event
from contracts.core.ids import new_id
from contracts.core.subjects import state_filter
from contracts.domain import dag, goal
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.plan import Job
from contracts.domain.schedule.schedule import Overlap, Schedule
from contracts.domain.schedule.ticks import Amended, Decision, Ticked
from contracts.runtime.log import Unavailable
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, Stream
from scheduler.scheduler import Scheduler
from tests import jobs
from tests.any_source import CODEC
from tests.waiting import WAIT_S

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = Schedule(cron="* * * * *", overlap=Overlap.ALLOW)
JOB = jobs.job_json(jobs.task(params={"text": "{{Today}}"}))


class FakeClock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self._now = START
        self.waits_until: datetime | None = None
        """What is waited for."""
        self._set = asyncio.Condition()

    def now(self) -> datetime:
        return self._now

    async def wait(self, until: datetime, change: asyncio.Event) -> None:
        self.waits_until = until
        waiting = [asyncio.ensure_future(self._reached(until)), asyncio.ensure_future(change.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.wait(waiting)

    async def set(self, now: datetime) -> None:
        async with self._set:
            self._now = now
            self._set.notify_all()

    async def _reached(self, until: datetime) -> None:
        async with self._set:
            await self._set.wait_for(lambda: self._now >= until)


class FlakyLog(MemoryLog):
    """Does not answer questions while it is `away`; loses acks, and answers one look late, when told to."""

    def __init__(self) -> None:
        super().__init__(CODEC)
        self.away = False
        self.refused = asyncio.Event()
        self.asked = asyncio.Event()
        """The late look has begun."""
        self.answered = asyncio.Event()
        """A look got its first answer."""
        self.late: asyncio.Event | None = None
        """What the next look waits for."""

    async def append(self, commit: Commit, *, after: int) -> int:
        try:
            return await super().append(commit, after=after)
        except Unavailable:
            self.refused.set()
            raise

    async def last_seq(self, *filters: str) -> int:
        self._answer()
        return await super().last_seq(*filters)

    async def newest(self, aggregate: str, aggregate_id: str) -> Recorded | None:
        self._answer()
        if (aggregate, aggregate_id) == ("schedule", "d"):
            late, self.late = self.late, None
            if late:
                self.asked.set()
                await late.wait()
            self.answered.set()
        return await super().newest(aggregate, aggregate_id)

    async def read(self, aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Recorded]:
        self._answer()
        return await super().read(aggregate, aggregate_id, after=after)

    def _answer(self) -> None:
        if self.away:
            self.refused.set()
            raise Unavailable("away")


class World:
    """A log, a clock, and schedulers that come and go."""

    def __init__(self) -> None:
        self.log = FlakyLog()
        self.clock = FakeClock()
        self.job = JOB
        self._processes: dict[Scheduler, list[asyncio.Future[None]]] = {}

    def start(self, *, catch_up: timedelta = timedelta(hours=1)) -> Scheduler:
        scheduler = Scheduler(self.log, "/scheduler/test", self.clock, catch_up=catch_up)
        self._processes[scheduler] = [
            asyncio.ensure_future(scheduler.follow()),
            asyncio.ensure_future(scheduler.run()),
        ]
        return scheduler

    async def kill(self, *schedulers: Scheduler) -> None:
        for worker in [w for one in schedulers or tuple(self._processes) for w in self._processes.pop(one)]:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker

    async def dag(self, *events: Event, dag_id: str = "d", actor: str | None = None) -> None:
        """One commit of a DAG, at the time of the clock."""
        await self.write(DAG, dag_id, *events, actor=actor)

    async def write(
        self, aggregate: Aggregate[Any], id_: str, *events: Event, actor: str | None = None
    ) -> None:
        """One commit, at the time of the clock."""
        stream = await Stream.open(self.log, aggregate, id_, Origin("/test/1"))
        state = aggregate.fold(events, stream.state)
        commit = Commit(
            id=new_id(),
            aggregate=aggregate.name,
            aggregate_id=id_,
            state=aggregate.status(state),
            version=stream.version + 1,
            time=self.clock.now(),
            source="/test/1",
            events=events,
            correlation_id="c",
            actor=actor,
        )
        await self.log.append(commit, after=stream.seq)

    async def scheduled(self, wanted: Schedule = EVERY_MINUTE, dag_id: str = "d") -> None:
        imported = dag.Imported(job=Job.model_validate(JOB))
        await self.dag(imported, dag.ScheduleSet(schedule=wanted), dag_id=dag_id)

    async def goal(self, wanted: Schedule, *, id_: str = "goal_1", **params: Any) -> None:
        """A goal with the schedule `sched_1`."""
        created = goal.Created(objective="find it", params=goal.Params.model_validate(params))
        await self.write(GOAL, id_, created, goal.ScheduleAdded(schedule_id="sched_1", schedule=wanted))

    async def minute(self, number: int) -> None:
        """The clock shows that many minutes after START."""
        await self.clock.set(START + number * MINUTE)

    async def ticked(self, count: int) -> list[Ticked]:
        """The first `count` ticks recorded, as soon as they are."""
        ticks: list[Ticked] = []
        async with asyncio.timeout(WAIT_S):
            async for batch in self.log.tail(state_filter("schedule")):
                ticks += [event for one in batch for event in one.commit.events if isinstance(event, Ticked)]
                if len(ticks) >= count:
                    break
        return ticks

    async def decided(self, count: int) -> list[tuple[int, Decision]]:
        """The first `count` ticks recorded, as minutes and decisions."""
        return [((one.tick - START) // MINUTE, one.decision) for one in await self.ticked(count)]

    async def history(self, schedule_id: str = "d") -> list[Event]:
        """Every event of a schedule."""
        return all_events(one.commit for one in await self.log.read("schedule", schedule_id))

    async def runs(self) -> list[Recorded]:
        """The request for each run, those of all ticks that fired so far among them."""
        decisions = {(one.dag_id, one.goal_id, one.tick): one for one in await self._decisions()}
        asked = {one.run_id for one in decisions.values() if one.decision is Decision.FIRED}
        if not asked and not await self.log.last_seq(state_filter("run", "pending")):
            return []
        runs: dict[str, Recorded] = {}
        async with asyncio.timeout(WAIT_S):
            async for batch in self.log.tail(state_filter("run", "pending")):
                runs |= {one.commit.aggregate_id: one for one in batch}
                if asked <= runs.keys():
                    break
        return list(runs.values())

    async def _decisions(self) -> list[Ticked | Amended]:
        if not await self.log.last_seq(state_filter("schedule")):
            return []
        async for batch in self.log.tail(state_filter("schedule")):
            events = all_events(one.commit for one in batch)
            return [event for event in events if isinstance(event, Ticked | Amended)]
        raise AssertionError


@pytest.fixture
async def world() -> AsyncIterator[World]:
    it = World()
    yield it
    await it.kill()
