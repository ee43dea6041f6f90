"""The workloads. Each measures a ready system and returns its figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

from contracts.domain import run
from contracts.domain.run.steps import SYNTHESIS
from deploy.bench.harness import Bench, Figures, WorkloadFailed, percentiles
from deploy.bench.jobs import chain, fan, single
from deploy.bench.processes import cpu_s, peak_rss_mb

Workload = Callable[[Bench], Awaitable[Figures]]

CHAINS, CHAIN_LENGTH, CHAINS_IN_PARALLEL = 500, 10, 100
CHAIN_STEPS = CHAINS * CHAIN_LENGTH
KILL_AFTER_S = 1.0


async def chains(bench: Bench) -> Figures:
    """500 runs of 10 no-op steps, 100 in parallel: read-only (and their CPU time), then with side effects."""
    before = cpu_s(bench.system)
    reading = await _chains(bench, "benchNoop")
    used = {name: seconds - before[name] for name, seconds in cpu_s(bench.system).items()}
    return {
        "steps_per_s": reading,
        "writing_steps_per_s": await _chains(bench, "benchWrite"),
        **{f"{name}_cpu_us_per_step": round(seconds / CHAIN_STEPS * 1e6) for name, seconds in used.items()},
    }


async def _chains(bench: Bench, tool: str) -> float:
    dag_id = await bench.plan(chain(CHAIN_LENGTH, tool))
    return round(CHAIN_STEPS / await bench.run_many(dag_id, CHAINS, CHAINS_IN_PARALLEL), 1)


async def latency(bench: Bench) -> Figures:
    """200 no-op steps in a chain, one run: time from step to step, read-only and with side effects."""
    figures = await _latency(bench, "benchNoop")
    writing = await _latency(bench, "benchWrite")
    return {**figures, **{f"writing_{name}": value for name, value in writing.items()}}


async def _latency(bench: Bench, tool: str) -> Figures:
    await bench.plan(chain(50, tool))
    dag_id = await bench.plan(chain(200, tool))
    execution_id = await bench.start(dag_id)
    await bench.end_of(execution_id)
    times = sorted((await bench.call_times_ns(execution_id)).values())
    return percentiles([(later - earlier) / 1e6 for earlier, later in pairwise(times)])


async def fanout(bench: Bench) -> Figures:
    """1 step, then 100 (or 1,000) parallel steps of 50 ms, then 1: time from the first to the last step."""
    figures: Figures = {}
    for width in (100, 1000):
        dag_id = await bench.plan(fan(width, 50))
        makespans = []
        for _ in range(5):
            execution_id = await bench.start(dag_id)
            await bench.end_of(execution_id)
            times = (await bench.call_times_ns(execution_id)).values()
            makespans.append((max(times) - min(times)) / 1e6)
        figures[f"makespan_{width}_ms"] = round(sorted(makespans)[2], 1)
    return figures


async def start(bench: Bench) -> Figures:
    """Time from POST execute-dag to the first step, one run at a time."""
    dag_id = await bench.plan(single("benchNoop"))
    taken = []
    for _ in range(100):
        begun = time.time_ns()
        execution_id = await bench.start(dag_id)
        await bench.end_of(execution_id)
        (called,) = (await bench.call_times_ns(execution_id)).values()
        taken.append((called - begun) / 1e6)
    return percentiles(taken)


async def recovery(bench: Bench) -> Figures:
    """50 runs of 10 steps of 200 ms. The executor is killed after 1 s, and its supervisor restarts it."""
    runs = 50
    dag_id = await bench.plan(chain(10, "benchSleep", ms=200))
    execution_ids = await asyncio.gather(*(bench.start(dag_id) for _ in range(runs)))
    await asyncio.sleep(KILL_AFTER_S)
    killed = time.perf_counter()
    bench.system.children["executor"].kill()
    ends = await asyncio.gather(*(bench.end_of(execution_id) for execution_id in execution_ids))
    completed = [await _completions(bench, execution_id) for execution_id in execution_ids]
    return {
        "recovery_s": round(max(ends) - killed, 2),
        "repeated_steps": sum(len(steps) - len(set(steps)) for steps in completed),
        "restarted_steps": sum([await _restarts(bench, execution_id) for execution_id in execution_ids]),
    }


async def inflight(bench: Bench) -> Figures:
    """2,000 parallel runs of one step of 30 s: peak memory of the executor."""
    runs = 2000
    first = await bench.post("/api/v1/execute-dag", single("benchSleep", ms=30_000))
    places = asyncio.Semaphore(50)

    async def one() -> str:
        async with places:
            return await bench.start(str(first["dagId"]))

    begun = time.perf_counter()
    execution_ids = await asyncio.gather(*(one() for _ in range(runs - 1)))
    accepted = time.perf_counter() - begun
    ends = await asyncio.gather(*(bench.end_of(execution_id) for execution_id in execution_ids))
    pid = bench.system.children["executor"].pid
    peak = peak_rss_mb(pid) if pid else None
    if peak is None:
        raise WorkloadFailed("the executor ended, or this operating system does not report its memory")
    return {
        "accepted_s": round(accepted, 2),
        "makespan_s": round(max(ends) - begun, 2),
        "executor_rss_mb": round(peak, 1),
    }


async def _completions(bench: Bench, execution_id: str) -> Sequence[str]:
    return [
        event.step
        for recorded in await bench.commits(execution_id)
        for event in recorded.commit.events
        if isinstance(event, run.StepCompleted) and event.step != SYNTHESIS
    ]


async def _restarts(bench: Bench, execution_id: str) -> int:
    started = [
        step
        for recorded in await bench.commits(execution_id)
        for event in recorded.commit.events
        if isinstance(event, run.StepsStarted)
        for step in event.steps
    ]
    return len(started) - len(set(started))
