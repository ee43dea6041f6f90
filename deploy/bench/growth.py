"""Measures whether requests become slower as the log grows."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from random import Random
from statistics import median
from urllib.parse import urlsplit

from deploy.bench.harness import Bench, Figures, WorkloadFailed
from deploy.bench.jobs import chain, single
from deploy.bench.keep_alive import KeepAlive, keep_alive
from deploy.bench.processes import cpu_s, peak_rss_mb
from deploy.bench.rebuild import fill, projected

RUNS = 100
STEPS = 10
IN_FLIGHT = 50
TIMES = 50
"""Number of times that each request is sent. The result is the median."""
ROUNDS = 3
"""Number of times that the runs are executed and each service is started. The result is the median."""
BUSY = 0.2
"""Seconds of CPU time in one second from which the system is not idle."""
QUIET_S = 600.0
"""Maximum seconds until the system is idle after it has written hundreds of thousands of commits."""
START_S = 120.0
GOAL = {"objective": "Find out what a long log costs"}


async def growth(bench: Bench) -> Figures:
    """The same work at 10,000, 100,000 and 1,000,000 commits: milliseconds, ratio, memory of NATS."""
    dag_id = await bench.plan(chain(STEPS))
    old_run = await bench.start(await bench.plan(single("benchNoop")))
    await bench.end_of(old_run)
    old_goal = str((await bench.post("/api/v1/goals", GOAL))["id"])
    measured: dict[str, list[float]] = {}
    memory: dict[str, float] = {}
    filled: list[str] = []
    for size in bench.sizes:
        filled += await fill(bench, size)
        await projected(bench, await bench.log.last_seq())
        await _quiet(bench)
        if len(filled) < TIMES:
            raise WorkloadFailed(f"{TIMES} runs are deleted at each size: choose --commits further apart")
        Random(size).shuffle(filled)
        any_runs = [filled.pop() for _ in range(TIMES)]
        for name, value in (await _costs(bench, dag_id, old_run, old_goal, any_runs)).items():
            measured.setdefault(name, []).append(value)
        memory |= _memory(bench, size)
    return memory | {
        name_of: value
        for name, values in measured.items()
        for name_of, value in [
            *((f"{name}_ms_at_{size}", value) for size, value in zip(bench.sizes, values, strict=True)),
            (f"{name}_ratio", round(values[-1] / values[0], 2)),
        ]
    }


async def _quiet(bench: Bench) -> None:
    """Wait until what was written is on the disk and no process works any more."""
    await asyncio.to_thread(os.sync)
    ends = time.perf_counter() + QUIET_S
    while time.perf_counter() < ends:
        before = sum(cpu_s(bench.system).values())
        await asyncio.sleep(1)  # CPU time is measured over one second
        if sum(cpu_s(bench.system).values()) - before < BUSY:
            return
    raise WorkloadFailed(f"the system is not idle {QUIET_S:g} s after its commits were written")


async def _costs(
    bench: Bench, dag_id: str, old_run: str, old_goal: str, any_runs: Iterable[str]
) -> dict[str, float]:
    """`any_runs`: TIMES runs from everywhere in the log. A long log is not in nats-server's memory."""
    others = iter(any_runs)
    async with keep_alive(bench.system.url) as client:

        async def get(path: str) -> float:
            return await _median_ms(lambda: client.get(path))

        costs = {
            "step": median([await _step_ms(bench, dag_id) for _ in range(ROUNDS)]),
            "post_goal": await _median_ms(lambda: client.post("/api/v1/goals", GOAL)),
            "patch_old_goal": await _patch_ms(client, old_goal),
            "delete_any_run": await _median_ms(
                lambda: client.delete(f"/api/v1/dag-executions/{next(others)}")
            ),
            "get_old_run": await get(f"/api/v1/dag-executions/{old_run}"),
            "list_page": await get("/api/v1/dag-executions?limit=50"),
            "list_failed": await get("/api/v1/dag-executions?status=failed&limit=50"),
        }
    starts = [
        {f"start_{name}": await _start_ms(bench, name) for name in bench.system.children}
        for _ in range(ROUNDS)
    ]
    bench.http.close()  # the restarted gateway has closed its connections
    return costs | {name: median(one[name] for one in starts) for name in starts[0]}


def _memory(bench: Bench, size: int) -> Figures:
    """The largest resident memory of nats-server so far, in MiB; empty where there is no /proc."""
    nats = bench.system.nats
    peak = peak_rss_mb(nats.pid) if nats and nats.pid else None
    return {} if peak is None else {f"nats_rss_mb_at_{size}": round(peak, 1)}


async def _step_ms(bench: Bench, dag_id: str) -> float:
    """Return the milliseconds per step of a chain, with many runs in parallel."""
    return round(await bench.run_many(dag_id, RUNS, IN_FLIGHT) * 1000 / (RUNS * STEPS), 3)


async def _patch_ms(client: KeepAlive, goal_id: str) -> float:
    return await _median_ms(lambda: client.patch(f"/api/v1/goals/{goal_id}", GOAL))


async def _median_ms(ask: Callable[[], Awaitable[tuple[int, bytes]]]) -> float:
    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        status, body = await ask()
        taken.append((time.perf_counter() - begun) * 1000)
        if status >= 300:
            raise WorkloadFailed(f"answered {status}: {body.decode()}")
    return round(median(taken), 3)


async def _start_ms(bench: Bench, name: str) -> float:
    """Kill a service and return the milliseconds until its next process is ready."""
    side = urlsplit(bench.system.metrics[name])
    child = bench.system.children[name]
    starts = child.starts
    begun = time.perf_counter()
    child.kill()
    while time.perf_counter() - begun < START_S:
        if child.starts > starts and await _is_ready(f"{side.scheme}://{side.netloc}"):
            return round((time.perf_counter() - begun) * 1000, 1)
        await asyncio.sleep(0.01)
    raise WorkloadFailed(f"{name} was not ready {START_S:g} s after it was killed")


async def _is_ready(url: str) -> bool:
    try:
        async with keep_alive(url) as client:
            return (await client.get("/readyz"))[0] == 200
    except (OSError, EOFError):
        return False
