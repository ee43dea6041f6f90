"""Measures what keys cost, and a gateway with many connections that do nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit
from secrets import token_hex
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from contracts.core.scopes import Scope
from contracts.domain.key import KEY, SECRET_BYTES, Created, create, hashed, key_id, text_of
from contracts.domain.registry import CODEC
from contracts.runtime.nats_log import nats_log
from contracts.runtime.process.settings import Settings
from contracts.runtime.stream import Origin, transact
from deploy.bench.harness import Bench, Figures, WorkloadFailed, percentiles
from deploy.bench.keep_alive import KeepAlive, keep_alive
from deploy.bench.processes import peak_rss_mb
from deploy.local.system import LocalSystem, Options, local_system

ROUNDS, READS, POSTS = 21, 300, 20
"""Rounds, and requests of each kind in one round. The systems take turns: a machine is not always as fast."""
CONNECTIONS = 8
IDLE, SILENT = 2000, 500
WRITES = 300
LOOK_S = 0.1
GOAL = {"objective": "x" * 8000}
LIST = "/api/v1/goals?limit=1"


async def access(bench: Bench) -> Figures:
    """Requests with a key, and without keys; then 2,000 idle connections and 500 readers that do not read."""
    _allow_open_files(4 * (IDLE + SILENT))
    async with _guarded() as (guarded, key):
        kinds = (("open", bench.system.url, None), ("key", guarded.url, key))
        for _, url, its_key in kinds:
            await _first_goal(url, its_key)
        reads: dict[str, list[float]] = {name: [] for name, *_ in kinds}
        posts: dict[str, list[float]] = {name: [] for name, *_ in kinds}
        for _ in range(ROUNDS):
            for name, url, its_key in kinds:
                reads[name].append(await _read_us(url, its_key))
                posts[name] += await _post_ms(url, its_key)
        return {
            **{f"read_{name}_us": round(median(taken), 1) for name, taken in reads.items()},
            **{f"post_{name}_p50_ms": round(median(taken), 3) for name, taken in posts.items()},
            **await _crowded(guarded, key),
        }


@asynccontextmanager
async def _guarded() -> AsyncGenerator[tuple[LocalSystem, str]]:
    """A system that needs keys, and a key that may do everything."""
    with TemporaryDirectory(prefix="async-agent-bench-", ignore_cleanup_errors=True) as directory:
        data = Path(directory)
        env = {"AUTH": "keys", "ARTIFACTS_DIR": str(data / "artifacts"), "LOG_LEVEL": "warning"}
        env |= {"LLM_PROVIDER": "", "RATE_LIMIT_MAX": "0"}
        async with local_system(Options(data, env=env), lambda *_: None) as system:
            yield system, await _key(system)


async def _key(system: LocalSystem) -> str:
    """Create a key that may do everything, and return its text."""
    id_, secret = key_id("bench"), token_hex(SECRET_BYTES)
    created = Created(name="bench", scopes=(Scope.ADMIN,), secret_sha256=hashed(secret))
    async with nats_log(Settings(nats_url=system.nats_url), CODEC, name="operator/bench") as log:
        decide = partial(create, wanted=created, now=datetime.now(UTC))
        await transact(log, KEY, id_, decide, Origin("/operator/bench"))
    return text_of(id_, secret)


def _allow_open_files(wanted: int) -> None:
    """Raise the limit of open files of this process, and of those that it starts, as far as it may."""
    allowed, most = getrlimit(RLIMIT_NOFILE)
    if allowed not in {RLIM_INFINITY, most} and allowed < wanted:
        setrlimit(RLIMIT_NOFILE, (wanted if most == RLIM_INFINITY else min(wanted, most), most))


async def _first_goal(url: str, key: str | None) -> None:
    """Create a goal. A gateway knows a new key after a moment."""
    async with asyncio.timeout(10), keep_alive(url, key) as client:
        while True:
            status, _ = await client.post("/api/v1/goals", GOAL)
            if status == 201:
                return
            await asyncio.sleep(LOOK_S)


async def _read_us(url: str, key: str | None) -> float:
    """Microseconds per read, with several connections at once."""

    async def ask() -> None:
        async with keep_alive(url, key) as client:
            for _ in range(READS // CONNECTIONS):
                await _read(client)

    begun = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    return (time.perf_counter() - begun) / (READS // CONNECTIONS * CONNECTIONS) * 1e6


async def _post_ms(url: str, key: str | None) -> list[float]:
    taken = []
    async with keep_alive(url, key) as client:
        for _ in range(POSTS):
            begun = time.perf_counter()
            await _post(client)
            taken.append((time.perf_counter() - begun) * 1000)
    return taken


async def _crowded(system: LocalSystem, key: str) -> Figures:
    """Reads while many connections are open, and while events wait for readers that do not read them."""
    host, _, port = urlsplit(system.url).netloc.rpartition(":")
    idle = [await asyncio.open_connection(host, int(port)) for _ in range(IDLE)]
    silent = [await _silent(host, int(port), key) for _ in range(SILENT)]
    taken: list[float] = []
    async with keep_alive(system.url, key) as writer, keep_alive(system.url, key) as reader:
        for _ in range(WRITES):
            await _post(writer)
            begun = time.perf_counter()
            await _read(reader)
            taken.append((time.perf_counter() - begun) * 1000)
    for _, connection in (*idle, *silent):
        connection.close()
    pid = system.children["gateway"].pid
    peak = peak_rss_mb(pid) if pid else None
    memory: Figures = {} if peak is None else {"crowded_gateway_rss_mb": round(peak, 1)}
    return {**{f"crowded_read_{name}": value for name, value in percentiles(taken).items()}, **memory}


async def _silent(host: str, port: int, key: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream of all events and read its first line only."""
    reader, writer = await asyncio.open_connection(host, port, limit=1024)
    head = f"Host: {host}:{port}\r\nAuthorization: Bearer {key}"
    writer.write(f"GET /api/v1/events HTTP/1.1\r\n{head}\r\n\r\n".encode())
    _require(int((await reader.readline())[9:12]), 200, "GET /api/v1/events")
    return reader, writer


async def _read(client: KeepAlive) -> None:
    status, _ = await client.get(LIST)
    _require(status, 200, f"GET {LIST}")


async def _post(client: KeepAlive) -> None:
    status, _ = await client.post("/api/v1/goals", GOAL)
    _require(status, 201, "POST goals")


def _require(status: int, wanted: int, request: str) -> None:
    if status != wanted:
        raise WorkloadFailed(f"{request}: {status}")
