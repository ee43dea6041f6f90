"""One run, whatever its steps, its log and its executors do: random steps, failures, outages, kills, clients.

What has to hold is in ARCHITECTURE, "Rules that hold for every commit".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from contracts.core.commit import Commit, Recorded
from contracts.core.event import Event, Json
from contracts.core.outcome import LeaseLost, Reject, Retry
from contracts.core.subjects import state_filter
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.agent import Directory
from contracts.domain.plan import Job
from contracts.domain.run import RUN, RunPolicy, Status
from contracts.domain.run.steps import SYNTHESIS, graph_of
from contracts.llm import Llm, LlmSettings
from contracts.runtime.blobs import MemoryBlobs
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.log import Unavailable
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.nats import retry
from contracts.runtime.stream import Origin, transact
from executor.executor import Executor, watch
from executor.plan.workload import PlanWorkload
from executor.resources import Resources
from executor.tools.inputs import ToolInput
from executor.tools.registry import Registry
from executor.tools.tool import CallContext, Tool
from executor.workload import Workloads
from tests import jobs
from tests.any_source import CODEC
from tests.depth import at_least
from tests.waiting import WAIT_S

ORIGIN = Origin("/test/1")
RUN_ID = "dag-exec_1"

PAUSES = (0, 0, 0, 1, 3, 10, 40)
"""Turns of the event loop that something takes."""
CALM_AFTER = 20
"""Executors; from then on the log answers and nobody is killed, so that there is an end."""


class Weather:
    """All that happens by chance."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.is_calm = False

    def strikes(self, chance: float) -> bool:
        return not self.is_calm and self.random.random() < chance

    async def pause(self) -> None:
        for _ in range(self.random.choice(PAUSES)):
            await asyncio.sleep(0)  # noqa: TID251  one turn of the event loop


class StormyLog(MemoryLog):
    """Slow at times, at times away from executors, and then it may have taken what it did not acknowledge."""

    def __init__(self, weather: Weather) -> None:
        super().__init__(CODEC, MemoryBlobs())
        self._weather = weather

    async def append(self, commit: Commit, *, after: int) -> int:
        if not commit.source.startswith("/executor/"):
            return await super().append(commit, after=after)
        await self._weather.pause()
        if self._weather.strikes(0.1):
            raise Unavailable("not reached")
        seq = await super().append(commit, after=after)
        if self._weather.strikes(0.1):
            raise Unavailable("the acknowledgement is lost")
        return seq

    async def read(self, aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Recorded]:
        await self._weather.pause()
        return await super().read(aggregate, aggregate_id, after=after)

    async def newest(self, aggregate: str, aggregate_id: str) -> Recorded | None:
        await self._weather.pause()
        return await super().newest(aggregate, aggregate_id)


class Delivery:
    """As much of a delivery as the executor looks at."""

    def __init__(self, attempt: int, lease: Lease | None = None) -> None:
        self.is_new = attempt == 1
        self.lease = lease or Lease(60)


class Storm:
    """A log, and executors on it, to which everything happens by chance."""

    def __init__(self, seed: int) -> None:
        self.weather = Weather(seed)
        self.dice = self.weather.random
        self.log = StormyLog(self.weather)
        self.calls: Counter[str] = Counter()
        self.executors = count(1)
        self.tools = Registry.of([("test", self._tool(effect)) for effect in Effect])
        self.policy = RunPolicy(
            backoff_s=0.0,
            parallel=self.dice.choice((1, 2, 1000)),
            retries=self.dice.choice((0, 2)),
            max_takeovers=1000,
        )

    def plan(self) -> Job:
        tasks: list[dict[str, Any]] = []
        for number in range(1, self.dice.randint(2, 9)):
            needs = tuple(one["id"] for one in tasks if self.dice.random() < 0.35)
            effect = self.dice.choice((Effect.READ, Effect.READ, Effect.IDEMPOTENT, Effect.ONCE))
            tasks.append(jobs.task(f"{number:03}", effect.value, needs=needs))
        return jobs.job(*tasks)

    async def request(self, job: Job) -> Recorded:
        wanted = run.Requested(dag_id="d", original_request="do it", job=job)
        await transact(self.log, RUN, RUN_ID, lambda state: run.request(state, wanted), ORIGIN)
        return await self.lease()

    async def resume(self) -> Recorded:
        await transact(self.log, RUN, RUN_ID, run.resume, ORIGIN)
        return await self.lease()

    async def lease(self) -> Recorded:
        return [one for one in await self.log.read("run", RUN_ID) if one.commit.state == "pending"][-1]

    async def history(self) -> list[Event]:
        return [event for one in await self.log.read("run", RUN_ID) for event in one.commit.events]

    def executor(self) -> Executor:
        async def tell(_: str, __: dict[str, Json]) -> None: ...

        llm = Llm(LlmSettings(_env_file=None))
        resources = Resources(
            self.tools, llm, Directory(), self.log.format.blobs, tell, max_steps=100, timeout_s=60
        )
        workloads: Workloads = {"plan": PlanWorkload(resources, self.policy)}
        return Executor(self.log, workloads, f"e{next(self.executors)}")

    def _tool(self, effect: Effect) -> Tool[ToolInput]:
        async def work(_: ToolInput, call: CallContext) -> Json:
            return await self._work(effect, call)

        return Tool(name=effect.value, description="", accepts=ToolInput, effect=effect, run=work)

    async def _work(self, effect: Effect, call: CallContext) -> Json:
        step = call.idempotency_key.partition("/")[2]
        self.calls[step] += 1
        if effect is not Effect.READ:
            assert await self._is_started(step), f"{step} began before its start was in the log"
        await self.weather.pause()
        if self.weather.strikes(0.1):
            raise Retry("busy")
        if self.weather.strikes(0.05):
            raise Reject(self.dice.choice(("no", "x" * 600_000)))
        return step

    async def _is_started(self, step: str) -> bool:
        state = RUN.fold(await self.history())
        return state.status is not Status.RUNNING or step in state.running

    async def one_executor(self, lease: Recorded, attempt: int, *, cancel: bool) -> None:
        """It works until it is done, has lost the run, or is killed or drained."""
        executor = self.executor()
        watching = asyncio.create_task(watch(self.log, executor, state_filter("run", Status.CANCELLED)))
        working = [asyncio.create_task(self._handle(executor, lease, attempt))]
        if self.weather.strikes(0.3):
            working.append(asyncio.create_task(self._handle(self.executor(), lease, attempt + 1)))
        await self.weather.pause()
        if cancel:
            await self._cancel()
        if self.weather.strikes(0.3):
            executor.drain()
        elif self.weather.strikes(0.3):
            working[0].cancel()
        _, still = await asyncio.wait(working, timeout=WAIT_S)
        assert not still, "it hangs"
        watching.cancel()
        await asyncio.wait([watching])
        for one in working:
            if not one.cancelled():
                one.result()

    @staticmethod
    async def _handle(executor: Executor, lease: Recorded, attempt: int) -> None:
        with contextlib.suppress(LeaseLost, Retry, Unavailable):
            await executor.handle(lease, Delivery(attempt))  # type: ignore[arg-type]

    async def _cancel(self) -> None:
        with contextlib.suppress(run.AlreadyFinished):
            await transact(self.log, RUN, RUN_ID, lambda state: run.cancel(state, "no"), ORIGIN)


def require_rules(history: Sequence[Event], job: Job) -> Counter[str]:
    """The rules for every commit; returns how often each step was started."""
    needs = {id_: set(step.needs) for id_, step in graph_of(job).steps.items()}
    state, started = RUN.initial, Counter[str]()
    for event in history:
        assert state.status not in {Status.COMPLETED, Status.CANCELLED}
        match event:
            case run.StepCompleted(step=step, attempt=attempt):
                assert step not in state.done
                assert needs[step] <= state.done.keys()
                assert step == SYNTHESIS or state.running[step] == attempt
            case run.StepFailed(step=step, attempt=attempt):
                assert state.running[step] == attempt
            case run.StepsStarted(steps=steps):
                assert all(needs[step] <= state.done.keys() for step in steps)
                started.update(steps)
        state = RUN.evolve(state, event)
    return started


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks the log again does so at once."""
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.0)


async def weathered(seed: int) -> None:
    storm = Storm(seed)
    job = storm.plan()
    lease, attempt = await storm.request(job), 1
    cancelled_by = storm.dice.choice((0, 1, None, None, None))
    for number in count():
        storm.weather.is_calm = number >= CALM_AFTER
        await storm.one_executor(lease, attempt, cancel=number == cancelled_by)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "steps go on that nobody waits for"
        attempt += 2
        match RUN.fold(await storm.history()).status:
            case Status.SUSPENDED:
                lease, attempt = await storm.resume(), 1
            case Status.COMPLETED | Status.CANCELLED:
                break
        assert number < 2 * CALM_AFTER, "it never ends"
    started = require_rules(await storm.history(), job)
    for one in job.sub_tasks:
        if one.tool_or_prompt.name != Effect.READ:
            assert storm.calls[one.id] <= started[one.id]


@at_least(100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_every_interleaving_keeps_the_rules_and_comes_to_an_end(at_once: None, seed: int) -> None:
    asyncio.run(weathered(seed))
