"""The system under test: its processes, what it acts on outside, and a client that never gives up."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from contracts.runtime.process.settings import Durability
from deploy.local.child import Child
from deploy.local.forks import Program
from deploy.local.system import NATS, LocalSystem, Options, local_system, private
from deploy.scripted_llm import ScriptedLlm, default_rules, parse_rules
from deploy.scripted_llm import environment as scripted_environment
from tests.chaos import tools
from tests.chaos.cluster import Cluster, running_cluster

LEASE_S = 5
ROOT = Path(__file__).parents[2]
RETRY_S = 0.3
NO_TOOL = "there is no tool"
AGENT = """
[[rule]]
name = "agent: do what must be done once"
when.tools = ["chaosOnce"]
when.turn = 1
answer.text = "I do it."
answer.tool_calls = [
    { name = "chaosOnce", arguments = { ms = 200 } },
    { name = "chaosRead", arguments = { ms = 20 } },
    { name = "chaosOnce", arguments = { ms = 0, size = 100000 } },
]
"""
"""Rules for goals that may use `chaosOnce`."""


@dataclass
class Accepted:
    """A request that was answered 2xx, and what the answer promised."""

    kind: str
    key: str
    answer: dict[str, Any]


@dataclass
class World:
    """A running system and what is seen of it from outside."""

    data: Path
    system: LocalSystem
    http: aiohttp.ClientSession
    sink: str
    """URL that takes webhooks."""
    lines: list[str] = field(default_factory=list)
    """What the processes have written."""
    accepted: list[Accepted] = field(default_factory=list)
    webhooks: list[tuple[str, str]] = field(default_factory=list)
    """What has arrived: the run, and the idempotency key."""
    cluster: Cluster | None = None
    """The nats-servers, if there are several."""

    def effects(self) -> list[dict[str, str]]:
        """What the tools have done, in order."""
        file = self.data / "effects.ndjson"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def processes(self) -> dict[str, int]:
        """The process id of everything that can be killed, by name."""
        found = {name: child.pid for name, child in self.system.children.items()}
        servers = self.cluster.members if self.cluster else {NATS: self.system.nats}
        found |= {name: server.pid for name, server in servers.items() if server}
        return {name: pid for name, pid in found.items() if pid is not None}

    def servers(self) -> list[str]:
        """The names of the nats-servers."""
        return list(self.cluster.members) if self.cluster else [NATS]

    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> tuple[int, Any]:
        """The answer; asked again as long as there is none, or one that says to come back."""
        headers = {"idempotency-key": key} if key else {}
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                async with self.http.request(
                    method, self.system.url + path, json=body, headers=headers
                ) as answer:
                    if answer.status < 500 and answer.status != 429:
                        return answer.status, await answer.json()
            await asyncio.sleep(RETRY_S)

    async def post(self, kind: str, path: str, body: Any, key: str) -> dict[str, Any]:
        """What is answered to a request that must be accepted; it is written down."""
        status, answer = await self.ask("POST", path, body, key=key)
        while status == 400 and NO_TOOL in str(answer):  # the executor that has it is away
            await asyncio.sleep(RETRY_S)
            status, answer = await self.ask("POST", path, body, key=key)
        assert 200 <= status < 300, f"{path} {key}: {status} {answer}"
        self.accepted.append(Accepted(kind, key, answer))
        return dict(answer)


@asynccontextmanager
async def running_world(data: Path, replicas: int = 1) -> AsyncGenerator[World]:
    """Everything started: two executors of which one lacks a tool, and two projectors on one file.

    With several `replicas`, as many nats-servers as those, in a cluster.
    """
    lines: list[str] = []

    def on_line(name: str, line: str) -> None:
        lines.append(f"{name}: {line}")

    async with AsyncExitStack() as stack:
        webhooks: list[tuple[str, str]] = []
        sink = await stack.enter_async_context(_sink(webhooks))
        rules = [
            rule.model_copy(update={"answer": rule.answer.model_copy(update={"delay_ms": 0})})
            for rule in (*parse_rules(AGENT), *default_rules())
        ]
        llm = await stack.enter_async_context(ScriptedLlm(rules))
        env = private(data) | scripted_environment(llm.base_url) | _environment(data)
        options = Options(data, port=0, durability=Durability.FAST, env=env, cwd=data)
        data.mkdir(parents=True)
        cluster = None
        if replicas > 1:
            cluster = await stack.enter_async_context(running_cluster(data, replicas, on_line))
            env |= {"NATS_REPLICAS": str(replicas)}
            options = replace(options, env=env, nats_url=cluster.url)
        system = await stack.enter_async_context(local_system(options, on_line))
        for name, child in _second_ones(system, on_line):
            await child.start()
            stack.push_async_callback(child.stop)
            system.children[name] = child
        http = await stack.enter_async_context(
            aiohttp.ClientSession(
                # A client that watches a suspended run has its connection until somebody resumes the run.
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=40),
                read_bufsize=1 << 23,
            )
        )
        yield World(data, system, http, sink, lines, webhooks=webhooks, cluster=cluster)


def _environment(data: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "TOOL_MODULES": "tests.chaos.tools:ALL",
        tools.EFFECTS: str(data / "effects.ndjson"),
        "ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
        "LEASE_S": str(LEASE_S),
        "STEP_BACKOFF_S": "0.2",
        "MAX_CONCURRENT_RUNS": "200",
        "LOG_FORMAT": "json",
    }


def _second_ones(system: LocalSystem, on_line: Any) -> list[tuple[str, Child]]:
    def second(name: str, service: str, env: Mapping[str, str]) -> tuple[str, Child]:
        first = system.programs[service]
        env = {**first.env, "METRICS_PORT": "0", "INSTANCE": name, **env}
        program = Program(service, env, first.cwd)
        return name, Child(name, partial(system.forks.fork, program), on_line)

    return [
        second("executor-lacking", "executor", {"TOOL_MODULES": "tests.chaos.tools:WITHOUT_ONCE"}),
        second("projector-2", "projector", {}),
    ]


@asynccontextmanager
async def _sink(received: list[tuple[str, str]]) -> AsyncGenerator[str]:
    """A receiver of webhooks that writes down the run and the key of each."""

    async def receive(request: web.Request) -> web.Response:
        run = (await request.json())["data"]["runId"]
        received.append((run, request.headers["idempotency-key"]))
        return web.json_response({})

    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/{name}", receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
