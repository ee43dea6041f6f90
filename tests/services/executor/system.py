"""Executors over a memory log that can be held up, with tools of the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from contracts.core.commit import Commit, Recorded
from contracts.core.event import Event, Json
from contracts.core.tool import Effect, OutputSpec
from contracts.domain import run
from contracts.domain.agent import Directory
from contracts.domain.run import RUN, RunPolicy
from contracts.llm import Llm, LlmSettings
from contracts.runtime.blobs import MemoryBlobs
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.log import Unavailable
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, transact
from executor.after_run.after_run import AfterRun
from executor.executor import Executor
from executor.plan.workload import PlanWorkload
from executor.resources import Resources
from executor.tools.inputs import ToolInput
from executor.tools.registry import Registry
from executor.tools.tool import CallContext, Tool
from executor.workload import Workloads
from tests import jobs
from tests.any_source import CODEC
from tests.waiting import WAIT_S

ORIGIN = Origin("/test/1", actor="key:ci")
QUICK = RunPolicy(backoff_s=0.0)
RUN_ID = "dag-exec_1"


class Params(ToolInput):
    """Whatever a test wants to hand over."""

    value: Any = None


Body = Callable[[Json, CallContext], Awaitable[Json]]


def tool(
    name: str, body: Body, effect: Effect = Effect.READ, output: OutputSpec | None = None
) -> tuple[str, Tool[Params]]:
    async def run_(params: Params, call: CallContext) -> Json:
        return await body(params.value, call)

    return "test", Tool(name=name, description="", accepts=Params, effect=effect, run=run_, output=output)


async def echo(value: Json, _: CallContext) -> Json:
    return value


class Calls:
    """A tool that notes its calls and can be made to wait."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.cancelled = 0

    async def count(self, value: Json, call: CallContext) -> Json:
        self.keys.append(call.idempotency_key)
        return value

    async def wait(self, value: Json, call: CallContext) -> Json:
        self.keys.append(call.idempotency_key)
        self.called.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return value


class Delivery:
    """As much of a delivery as the executor looks at."""

    def __init__(self, attempt: int, lease: Lease | None = None) -> None:
        self.is_new = attempt == 1
        self.lease = lease or Lease(60)


class Shelf(MemoryBlobs):
    """Blobs that are out of reach for a number of times."""

    def __init__(self) -> None:
        super().__init__()
        self.away = 0
        self.unreadable = 0

    async def _store(self, name: str, data: bytes) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("no store")
        await super()._store(name, data)

    async def _fetch(self, name: str) -> bytes | None:
        if self.unreadable:
            self.unreadable -= 1
            raise Unavailable("no store")
        return await super()._fetch(name)


class HeldLog(MemoryLog):
    """A log that appends nothing while it is held, and does not answer while it is away."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        super().__init__(CODEC, self.shelf)
        self.away = asyncio.Event()
        self.unreadable = 0
        """How many reads get no answer."""
        self._refused = asyncio.Semaphore(0)
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()
        """Set when somebody wants to append."""

    async def append(self, commit: Commit, *, after: int) -> int:
        self.asked.set()
        await self.open.wait()
        self._answer()
        return await super().append(commit, after=after)

    async def read(self, aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Recorded]:
        self._answer()
        if self.unreadable:
            self.unreadable -= 1
            raise Unavailable("unreadable")
        return await super().read(aggregate, aggregate_id, after=after)

    async def newest(self, aggregate: str, aggregate_id: str) -> Recorded | None:
        self._answer()
        return await super().newest(aggregate, aggregate_id)

    def _answer(self) -> None:
        if self.away.is_set():
            self._refused.release()
            raise Unavailable("away")

    async def refuses(self, times: int) -> None:
        """Return when so many more calls have got no answer."""
        async with asyncio.timeout(WAIT_S):
            while not self._refused.locked():
                await self._refused.acquire()
            for _ in range(times):
                await self._refused.acquire()


class System:
    """A log, its queue, and executors that can die."""

    def __init__(
        self, *tools: tuple[str, Tool[Any]], llm: Llm | None = None, policy: RunPolicy = QUICK
    ) -> None:
        self.timeout_s = WAIT_S
        self.max_steps = 100
        self.log = HeldLog()
        self.registry = Registry.of([tool("echo", echo), *tools])
        self.llm = llm or Llm(LlmSettings(_env_file=None))
        self.agents = Directory()
        self.policy = policy
        self.told: list[tuple[str, dict[str, Json]]] = []
        self.names = 0

    def executor(self) -> Executor:
        self.names += 1

        async def tell(run_id: str, message: dict[str, Json]) -> None:
            self.told.append((run_id, message))

        resources = Resources(
            self.registry,
            self.llm,
            self.agents,
            self.log.format.blobs,
            tell,
            max_steps=self.max_steps,
            timeout_s=self.timeout_s,
        )
        workloads: Workloads = {"plan": PlanWorkload(resources, self.policy)}
        return Executor(self.log, workloads, f"e{self.names}")

    async def request(
        self,
        *tasks: dict[str, Json],
        plan: str = "",
        id_: str = RUN_ID,
        timezone: str | None = None,
        **changes: Any,
    ) -> Recorded:
        job = jobs.job(*tasks, synthesis_plan=plan, **changes)
        wanted = run.Requested(dag_id="d", original_request="do it", job=job, timezone=timezone)
        await transact(self.log, RUN, id_, lambda state: run.request(state, wanted), ORIGIN)
        return await self.lease(id_)

    async def lease(self, id_: str = RUN_ID) -> Recorded:
        """The message that the queue holds for a run."""
        return [one for one in await self.log.read("run", id_) if one.commit.state == "pending"][-1]

    async def state(self, id_: str = RUN_ID) -> run.State:
        return RUN.fold(await self.events(id_))

    async def events(self, id_: str = RUN_ID) -> Sequence[Event]:
        return [event for one in await self.log.read("run", id_) for event in one.commit.events]

    async def resume(self) -> Recorded:
        await transact(self.log, RUN, RUN_ID, run.resume, ORIGIN)
        return await self.lease()


async def handle(executor: Executor | AfterRun, lease: Recorded, attempt: int = 1) -> None:
    await deliver(executor, lease, Delivery(attempt))


async def deliver(executor: Executor | AfterRun, message: Recorded, delivery: Delivery) -> None:
    async with asyncio.timeout(WAIT_S):
        await executor.handle(message, delivery)  # type: ignore[arg-type]


@asynccontextmanager
async def handling(
    executor: Executor | AfterRun, lease: Recorded, attempt: int = 1
) -> AsyncGenerator[asyncio.Task[None]]:
    """An executor at work, killed on the way out if it still is."""
    task = asyncio.create_task(handle(executor, lease, attempt))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def task(id_: str, name: str = "echo", value: Json = None, needs: Sequence[str] = ()) -> dict[str, Json]:
    return jobs.task(id_, name, {"value": value}, needs=tuple(needs))


def infer(id_: str, prompt: str, needs: Sequence[str] = (), name: str = "inference") -> dict[str, Json]:
    return jobs.task(id_, name, {"prompt": prompt}, needs=tuple(needs)) | {"action_type": "inference"}
