"""Measures reads and writes over HTTP: answers per second, and latency."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from urllib.parse import urlsplit

import orjson

from deploy.bench.harness import Bench, Figures, WorkloadFailed, percentiles
from deploy.bench.jobs import chain
from deploy.bench.keep_alive import KeepAlive, keep_alive

CONNECTIONS = 32
SECONDS = 5
STEPS = 10
EXECUTIONS = 60
"""Number of executions, enough for a page of 50."""
VIEWS_S = 30.0
GOALS = 300
GOAL = {"objective": "Find out what there is to know about benchmarks"}

_WRK_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_WRK_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")


async def reads(bench: Bench) -> Figures:
    """32 connections read repeatedly: one execution of 10 steps, one goal, a page of 50 executions."""
    bench.settings["client"] = "wrk" if shutil.which("wrk") else "built-in"
    dag_id = await bench.plan(chain(STEPS))
    execution_ids = await asyncio.gather(*(bench.start(dag_id) for _ in range(EXECUTIONS)))
    await asyncio.gather(*(bench.end_of(execution_id) for execution_id in execution_ids))
    goal = await bench.post("/api/v1/goals", GOAL)
    await _shown_completed(bench, execution_ids)
    return {
        "get_one_per_s": await _rate(bench, f"/api/v1/dag-executions/{execution_ids[0]}"),
        "get_goal_per_s": await _rate(bench, f"/api/v1/goals/{goal['id']}"),
        "list_50_per_s": await _rate(bench, "/api/v1/dag-executions?limit=50"),
    }


async def post(bench: Bench) -> Figures:
    """Create goals one after another, with and without reading each back."""
    posted, read = [], []
    async with keep_alive(bench.system.url) as client:
        for _ in range(GOALS):
            begun = time.perf_counter()
            goal_id = await _created(client)
            created = time.perf_counter()
            await _get_body(client, f"/api/v1/goals/{goal_id}")
            posted.append((created - begun) * 1000)
            read.append((time.perf_counter() - begun) * 1000)
    p50, p99 = percentiles(posted).values()
    return {
        "post_goal_p50_ms": p50,
        "post_goal_p99_ms": p99,
        "post_and_get_goal_p50_ms": percentiles(read)["p50_ms"],
    }


async def _shown_completed(bench: Bench, execution_ids: Sequence[str]) -> None:
    """Wait until reads show that each execution is completed."""
    async with keep_alive(bench.system.url) as client:
        for execution_id in execution_ids:
            await _wait_for_status(client, execution_id, "completed")


async def _wait_for_status(client: KeepAlive, execution_id: str, status: str) -> None:
    ends = time.perf_counter() + VIEWS_S
    while time.perf_counter() < ends:
        execution = orjson.loads(await _get_body(client, f"/api/v1/dag-executions/{execution_id}"))
        if execution["status"] == status:
            return
        await asyncio.sleep(0.05)
    raise WorkloadFailed(f"{execution_id} is not shown as {status} after {VIEWS_S:g} s")


async def _created(client: KeepAlive) -> str:
    status, body = await client.post("/api/v1/goals", GOAL)
    if status != 201:
        raise WorkloadFailed(f"POST goals: {status} {body.decode()}")
    return str(orjson.loads(body)["id"])


async def _get_body(client: KeepAlive, path: str) -> bytes:
    status, body = await client.get(path)
    if status != 200:
        raise WorkloadFailed(f"GET {path}: {status} {body.decode()}")
    return body


async def _rate(bench: Bench, path: str) -> float:
    """Return the number of successful answers per second."""
    url = bench.system.url + path
    return round(await (_rate_by_wrk(url) if shutil.which("wrk") else _rate_in_python(url)), 1)


async def _rate_by_wrk(url: str) -> float:
    arguments = ("-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", url)
    process = await asyncio.create_subprocess_exec("wrk", *arguments, stdout=PIPE)
    said = (await process.communicate())[0].decode()
    rate = _WRK_RATE.search(said)
    if rate is None or _WRK_REFUSED.search(said):
        raise WorkloadFailed(f"some requests to {url} failed:\n{said}")
    return float(rate[1])


async def _rate_in_python(url: str) -> float:
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}"
    ends = time.perf_counter() + SECONDS

    async def ask() -> int:
        answers = 0
        async with keep_alive(url) as client:
            while time.perf_counter() < ends:
                await _get_body(client, path)
                answers += 1
        return answers

    return sum(await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))) / SECONDS
