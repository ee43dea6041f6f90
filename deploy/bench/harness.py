"""The system under measurement, and access to it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson

from contracts.core.commit import Recorded
from contracts.core.subjects import state_filter
from contracts.domain import run
from contracts.domain.registry import CODEC
from contracts.domain.run.steps import SYNTHESIS
from contracts.runtime.nats_log import NatsLog, nats_log
from contracts.runtime.process.settings import Durability, Settings
from deploy.bench.jobs import Job
from deploy.bench.keep_alive import Pool
from deploy.local.system import LocalSystem, Options, local_system

ENDS = tuple(state_filter("run", state) for state in ("completed", "suspended", "cancelled"))

Figures = dict[str, float | int]


class WorkloadFailed(Exception):
    """The system did not complete the workload, so there is no result."""


class _End(NamedTuple):
    """The end of a run. Of a million runs, whole commits would take gigabytes."""

    at: float
    """By `time.perf_counter`."""
    state: str
    event: str
    """The beginning of its last event."""


@dataclass
class Bench:
    """A running system under measurement."""

    system: LocalSystem
    log: NatsLog
    http: Pool
    data: Path
    settings: dict[str, str] = field(default_factory=dict)
    """Settings that the figures depend on."""
    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    """Commits in the log at which `growth` measures."""
    _ended: dict[str, asyncio.Future[_End]] = field(default_factory=dict)

    async def plan(self, job: Job) -> str:
        """Run a plan once to store it and to warm up the system. Return the id of the DAG."""
        answer = await self.post("/api/v1/execute-dag", job)
        await self.end_of(answer["executionId"])
        return str(answer["dagId"])

    async def start(self, dag_id: str) -> str:
        """Execute a stored plan. Return the id of the accepted execution."""
        return str((await self.post("/api/v1/execute-dag", {"dagId": dag_id}))["executionId"])

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request that must succeed, and return its JSON answer."""
        status, answer = await self.http.post(path, body)
        if status >= 300:
            raise WorkloadFailed(f"POST {path}: {status} {answer.decode()}")
        result: dict[str, Any] = orjson.loads(answer)
        return result

    async def end_of(self, execution_id: str, timeout_s: float = 120.0) -> float:
        """Wait for the end of an execution in the log. Return the time by `time.perf_counter`.

        Raises:
            WorkloadFailed: the execution did not complete.
        """
        try:
            async with asyncio.timeout(timeout_s):
                end = await self._future(execution_id)
        except TimeoutError:
            raise WorkloadFailed(f"{execution_id} did not end within {timeout_s:g} s") from None
        if end.state != run.Status.COMPLETED:
            raise WorkloadFailed(f"{execution_id} is {end.state}: {end.event}")
        return end.at

    async def run_many(self, dag_id: str, runs: int, in_parallel: int) -> float:
        """Execute a stored plan so many times. Return the seconds until the last execution has ended."""
        places = asyncio.Semaphore(in_parallel)

        async def one() -> float:
            async with places:
                return await self.end_of(await self.start(dag_id))

        begun = time.perf_counter()
        return max(await asyncio.gather(*(one() for _ in range(runs)))) - begun

    async def commits(self, execution_id: str) -> Sequence[Recorded]:
        """Return the commits of a run."""
        return await self.log.read("run", execution_id)

    async def call_times_ns(self, execution_id: str) -> dict[str, int]:
        """Return the time at which each step's code ran, by the machine's clock."""
        return {
            event.step: event.result["at_ns"]
            for recorded in await self.commits(execution_id)
            for event in recorded.commit.events
            if isinstance(event, run.StepCompleted) and event.step != SYNTHESIS
        }

    async def listen(self) -> None:
        """Record the end of every run, until cancelled."""
        async for batch in self.log.tail(*ENDS, after=await self.log.last_seq()):
            at = time.perf_counter()
            for recorded in batch:
                future = self._future(recorded.commit.aggregate_id)
                if not future.done():
                    future.set_result(_End(at, recorded.commit.state, str(recorded.commit.events[-1])[:200]))

    def _future(self, execution_id: str) -> asyncio.Future[_End]:
        if execution_id not in self._ended:
            self._ended[execution_id] = asyncio.get_running_loop().create_future()
        return self._ended[execution_id]


@asynccontextmanager
async def bench_system(durability: Durability, sizes: tuple[int, ...] = ()) -> AsyncGenerator[Bench]:
    """Start a system in a temporary directory, with the tools of the benchmark."""
    with TemporaryDirectory(prefix="async-agent-bench-", ignore_cleanup_errors=True) as directory:
        data = Path(directory)
        env = {
            "TOOL_MODULES": "deploy.bench.tools:TOOLS",
            "ARTIFACTS_DIR": str(data / "artifacts"),
            "LOG_LEVEL": "warning",
            "LLM_PROVIDER": "",
        }
        options = Options(data, durability=durability, env=env)
        said: list[str] = []
        async with local_system(options, lambda name, line: said.append(f"{name}: {line}")) as system:
            settings = Settings(nats_url=system.nats_url)
            async with nats_log(settings, CODEC, name="operator/bench") as log:
                bench = Bench(system, log, Pool(system.url), data)
                bench.sizes = sizes or bench.sizes
                listening = asyncio.create_task(bench.listen())
                try:
                    yield bench
                except Exception as error:
                    raise WorkloadFailed(f"{error}\n" + "\n".join(said[-20:])) from error
                finally:
                    bench.http.close()
                    listening.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await listening


def percentiles(milliseconds: Sequence[float]) -> Figures:
    """Return `p50_ms` and `p99_ms`."""
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3)}
