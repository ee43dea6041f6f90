"""Measures runs that wait for a person, and forks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import orjson

from contracts.domain.run import ask_id
from deploy.bench.harness import Bench, Figures, WorkloadFailed, percentiles
from deploy.bench.jobs import chain, single
from deploy.bench.keep_alive import keep_alive

WAITING, IN_FLIGHT = 10_000, 50
ANSWERS, PAGES, FORKS = 200, 100, 20
STEPS = 1000
LOOK_S = 0.2
LONGEST_S = 600.0


async def asks(bench: Bench) -> Figures:
    """10,000 runs wait for an approval: a page of the inbox, and from the answer to the code of the step."""
    tool = "benchNoop"
    first = await bench.post("/api/v1/execute-dag", single(tool) | {"approvals": [tool]})
    places = asyncio.Semaphore(IN_FLIGHT)

    async def one() -> str:
        async with places:
            return await bench.start(str(first["dagId"]))

    waiting = await asyncio.gather(*(one() for _ in range(WAITING - 1)))
    await _all_wait(bench)
    pages = percentiles(await _pages_ms(bench))
    answers = percentiles([await _answer_ms(bench, one) for one in waiting[:ANSWERS]])
    return {
        f"{name}_{key}": value
        for name, some in (("inbox", pages), ("answer", answers))
        for key, value in some.items()
    }


async def fork(bench: Bench) -> Figures:
    """Fork a run of 1,000 steps at its last step: time until the answer."""
    execution_id = await bench.start(await bench.plan(chain(STEPS)))
    await bench.end_of(execution_id)
    taken = []
    for _ in range(FORKS):
        begun = time.perf_counter()
        forked = await bench.post(f"/api/v1/dag-executions/{execution_id}/fork", {"from": f"{STEPS}"})
        taken.append((time.perf_counter() - begun) * 1000)
        await bench.end_of(str(forked["executionId"]))
    return percentiles(taken)


async def _all_wait(bench: Bench) -> None:
    async with keep_alive(bench.system.url) as client, asyncio.timeout(LONGEST_S):
        while True:
            _, body = await client.get("/api/v1/dag-executions?status=waiting&limit=1")
            if orjson.loads(body)["pagination"]["total"] >= WAITING:
                return
            await asyncio.sleep(LOOK_S)


async def _pages_ms(bench: Bench) -> Sequence[float]:
    taken = []
    async with keep_alive(bench.system.url) as client:
        for _ in range(PAGES):
            begun = time.perf_counter()
            status, body = await client.get("/api/v1/asks?status=open")
            taken.append((time.perf_counter() - begun) * 1000)
            if status != 200:
                raise WorkloadFailed(f"the inbox answered {status}: {body.decode()}")
    return taken


async def _answer_ms(bench: Bench, execution_id: str) -> float:
    """Approve the call of a run. Return the milliseconds until the code of the tool ran."""
    begun = time.time_ns()
    path = f"/api/v1/asks/{ask_id(execution_id, '001', 1)}/answer"
    await bench.post(path, {"verdict": "approve"})
    await bench.end_of(execution_id)
    (called,) = (await bench.call_times_ns(execution_id)).values()
    return (called - begun) / 1e6
