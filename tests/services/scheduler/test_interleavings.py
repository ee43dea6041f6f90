"""Several schedulers on one log, their steps in any order, dying between any two: one run for each tick."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given as for_all
from hypothesis import strategies as st

from contracts.core.commit import Commit, Recorded, all_events
from contracts.core.subjects import state_filter
from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.keys import Keys
from contracts.domain.plan import Intent, Job, SubTask, ToolOrPrompt
from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Overlap, Schedule
from contracts.domain.schedule.ticks import Amended, Decision, Ticked
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, transact
from scheduler.active_schedules import ActiveSchedule, entry_of
from scheduler.decide import Decider
from tests.any_source import CODEC
from tests.depth import at_least

MINUTE = timedelta(minutes=1)
STEP = SubTask(
    id="001",
    description="a step",
    thought="",
    action_type="tool",
    tool_or_prompt=ToolOrPrompt(name="noop"),
    expected_output="",
    dependencies=(),
)
JOB = Job(
    original_request="do it", intent=Intent(primary="work", sub_intents=()), entities=(), sub_tasks=(STEP,)
)


class SteppedLog(MemoryLog):
    """Every step of everybody, before and after it touches the log, waits until it is let go on."""

    def __init__(self) -> None:
        super().__init__(CODEC)
        self.waiting: dict[asyncio.Task[None], asyncio.Future[None]] = {}
        self.still = asyncio.Event()
        """Nobody moves."""

    async def append(self, commit: Commit, *, after: int) -> int:
        await self._step()
        seq = await super().append(commit, after=after)
        await self._step()
        return seq

    async def read(self, aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Recorded]:
        await self._step()
        return await super().read(aggregate, aggregate_id, after=after)

    async def newest(self, aggregate: str, aggregate_id: str) -> Recorded | None:
        await self._step()
        return await super().newest(aggregate, aggregate_id)

    async def last_seq(self, *filters: str) -> int:
        await self._step()
        return await super().last_seq(*filters)

    async def _step(self) -> None:
        task = asyncio.current_task()
        if task not in self.waiting:
            return  # the test itself
        going_on = self.waiting[task] = asyncio.get_running_loop().create_future()
        self.still.set()
        await going_on


class Crowd:
    """Schedulers of one schedule that fires every minute, on one log, with one clock."""

    def __init__(self, log: SteppedLog, entry: ActiveSchedule) -> None:
        self.log = log
        self.entry = entry
        self.time = entry.since
        self.errors: list[BaseException] = []

    def now(self) -> datetime:
        return self.time

    async def wait(self, until: datetime, change: asyncio.Event) -> None:
        raise AssertionError("nobody waits by this clock: the test moves it")

    async def join(self) -> None:
        """One more scheduler, about to take its first step."""
        task = asyncio.ensure_future(self._live())
        self.log.waiting[task] = asyncio.get_running_loop().create_future()
        task.add_done_callback(self._leave)
        await self._still()

    async def go_on(self, number: int) -> None:
        """One of them takes one step."""
        if waiting := list(self.log.waiting.values()):
            waiting[number % len(waiting)].set_result(None)
            await self._still()

    async def die(self, number: int) -> None:
        """One of them is no more, wherever it was, and another takes its place."""
        if tasks := list(self.log.waiting):
            tasks[number % len(tasks)].cancel()
            await self._still()
        await self.join()

    async def finish(self) -> None:
        """All go on until nothing is due any more; at least one of them lives."""
        await self.join()
        while self.log.waiting:
            await self.go_on(0)
        assert self.errors == []

    async def ticks(self) -> list[Ticked]:
        recorded = await self.log.read("schedule", "d")
        return [event for event in all_events(r.commit for r in recorded) if isinstance(event, Ticked)]

    async def runs(self) -> list[str]:
        """The id of each request for a run."""
        if not await self.log.last_seq(state_filter("run")):
            return []
        async for batch in self.log.tail(state_filter("run")):
            return [
                one.commit.aggregate_id for one in batch if isinstance(one.commit.events[0], run.Requested)
            ]
        raise AssertionError

    async def fired(self) -> set[str]:
        """The runs that ticks ask for, by the last word on each tick."""
        recorded = await self.log.read("schedule", "d")
        events = [e for e in all_events(r.commit for r in recorded) if isinstance(e, Ticked | Amended)]
        return {one.run_id for one in {one.tick: one for one in events}.values() if one.run_id}

    async def is_running(self) -> list[str]:
        """The runs that have not ended."""
        runs = [(id_, await self.log.read("run", id_)) for id_ in await self.runs()]
        return [id_ for id_, commits in runs if commits[-1].commit.state == "pending"]

    async def end(self, _: int) -> None:
        """The runs that are going end."""
        for id_ in await self.is_running():
            done = run.Completed(completed_steps=1, duration_ms=1)
            await transact(self.log, run.RUN, id_, lambda _, done=done: [done], Origin("/test/1"))  # type: ignore[misc]

    async def _live(self) -> None:
        decider = Decider(self.log, "/scheduler/test", self, Keys(), catch_up=timedelta(days=1))
        while (await decider.check(self.entry)).again <= self.time:
            pass

    async def _still(self) -> None:
        self.log.still.clear()
        await self.log.still.wait()

    def _leave(self, task: asyncio.Task[None]) -> None:
        del self.log.waiting[task]
        self.log.still.set()
        if not task.cancelled() and (error := task.exception()):
            self.errors.append(error)


async def crowd(size: int, overlap: Overlap = Overlap.ALLOW) -> Crowd:
    log = SteppedLog()
    events = [
        dag.Imported(job=JOB),
        dag.ScheduleSet(schedule=Schedule(cron="* * * * *", overlap=overlap)),
    ]
    await transact(log, DAG, "d", lambda _: [] if _.schedule else events, Origin("/test/1"))
    entry = entry_of(await log.read("dag", "d"), "d", datetime.now(UTC))
    assert entry is not None
    it = Crowd(log, entry)
    for _ in range(size):
        await it.join()
    return it


def run_id(tick: datetime) -> str:
    return ticks.run_id("d", tick)


sizes = st.integers(1, 4)
numbers = st.integers(0, 3)
steps = st.lists(st.tuples(st.sampled_from(["go_on", "go_on", "go_on", "die"]), numbers), max_size=60)
anything = st.lists(
    st.tuples(st.sampled_from(["go_on", "go_on", "go_on", "die", "join", "tick"]), numbers), max_size=80
)
guarded = st.sampled_from([Overlap.SKIP, Overlap.QUEUE_ONE, Overlap.CANCEL_RUNNING])
with_ends = st.lists(
    st.tuples(st.sampled_from(["go_on", "go_on", "go_on", "die", "join", "tick", "end"]), numbers),
    max_size=80,
)


@at_least(100)
@for_all(sizes, st.lists(steps, min_size=1, max_size=3))
def test_each_tick_fires_exactly_once(size: int, minutes: list[list[tuple[str, int]]]) -> None:
    """As long as somebody gets round to a tick before the next one comes."""

    async def play() -> None:
        it = await crowd(size)
        for minute in minutes:
            it.time = it.entry.cron.next_after(it.time)
            await it.join()
            for action, number in minute:
                await getattr(it, action)(number)
            await it.finish()
        expected = it.entry.cron.ticks(it.entry.since, it.time, len(minutes) + 1)
        assert [(one.tick, one.decision) for one in await it.ticks()] == [
            (tick, Decision.FIRED) for tick in expected
        ]
        assert await it.runs() == [run_id(tick) for tick in expected]

    asyncio.run(play())


@at_least(100)
@for_all(sizes, anything)
def test_in_every_interleaving_each_tick_is_decided_once_and_fires_at_most_once(
    size: int, actions: list[tuple[str, int]]
) -> None:
    async def play() -> None:
        it = await crowd(size)
        for action, number in actions:
            if action == "tick":
                it.time += MINUTE
            elif action == "join":
                await it.join()
            else:
                await getattr(it, action)(number)
        await it.finish()
        ticks, runs = await it.ticks(), await it.runs()
        assert [one.tick for one in ticks] == it.entry.cron.ticks(it.entry.since, it.time, 100)
        assert all(earlier.tick < later.tick for earlier, later in pairwise(ticks))
        assert len(runs) == len(set(runs))
        assert {one.run_id for one in ticks if one.run_id} == set(runs)

    asyncio.run(play())


@at_least(100)
@for_all(sizes, guarded, with_ends)
def test_runs_that_must_not_overlap_never_do(
    size: int, overlap: Overlap, actions: list[tuple[str, int]]
) -> None:
    async def play() -> None:
        it = await crowd(size, overlap)
        for action, number in actions:
            if action == "tick":
                it.time += MINUTE
            elif action == "join":
                await it.join()
            else:
                await getattr(it, action)(number)
            assert len(await it.is_running()) <= 1
        await it.finish()
        runs = await it.runs()
        assert len(runs) == len(set(runs))
        assert set(runs) == await it.fired()
        assert [one.tick for one in await it.ticks()] == it.entry.cron.ticks(it.entry.since, it.time, 100)

    asyncio.run(play())
