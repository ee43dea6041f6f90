"""Many clients of one stream of server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from urllib.parse import urlsplit

import orjson

from deploy.bench.harness import Bench, Figures, WorkloadFailed, percentiles
from deploy.bench.jobs import chain

CLIENTS = 1000
STEPS = 20
HEAD_START_MS = 8000
"""Duration of the first step. All clients connect during it."""


async def sse(bench: Bench) -> Figures:
    """1,000 clients watch one execution of 20 steps of 100 ms: how late each event reaches each client."""
    job = chain(STEPS, "benchSleep", ms=100)
    job["sub_tasks"][0]["tool_or_prompt"]["params"] = {"ms": HEAD_START_MS}
    execution_id = str((await bench.post("/api/v1/execute-dag", job))["executionId"])
    clients = [Client() for _ in range(CLIENTS)]
    url = f"{bench.system.url}/api/v1/dag-executions/{execution_id}/events"
    async with asyncio.timeout(120):
        await asyncio.gather(*(client.follow(url) for client in clients))
    complete = sum(client.seen["substep.completed"] == STEPS for client in clients)
    if complete < CLIENTS:
        raise WorkloadFailed(f"only {complete} of {CLIENTS} clients got every event exactly once")
    late = [milliseconds for client in clients for milliseconds in client.late_ms]
    return {"clients": complete, "events": len(late), **percentiles(late)}


class Client:
    """Reads a stream until the execution has completed."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.late_ms: list[float] = []

    async def follow(self, url: str) -> None:
        """Connect and read; record the delay of each completed step."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        try:
            event = ""
            while event != "execution.completed":
                line = await reader.readline()
                if not line:
                    raise WorkloadFailed("the server closed a stream")
                if line.startswith(b"event: "):
                    event = line[7:].strip().decode()
                    self.seen[event] += 1
                elif line.startswith(b"data: ") and event == "substep.completed":
                    self.late_ms.append(time.time() * 1000 - orjson.loads(line[6:])["timestamp"])
        finally:
            writer.close()
