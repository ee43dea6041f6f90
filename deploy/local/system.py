"""A local system: nats-server and the five services as child processes with one data directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from contracts.api.health import BUILDING, Readiness
from contracts.client import Client, ClientError
from contracts.core.user_error import UserError
from contracts.runtime.continuity import WAY_OUT
from contracts.runtime.nats.connection import connect
from contracts.runtime.process.settings import SQLITE, Durability
from contracts.runtime.topology import allow_batches
from deploy.local.child import STOP_S, Child, OnLine
from deploy.local.data_lock import Claim, claimed, ports_of
from deploy.local.forks import Forked, ForkServer, Program, fork_server
from deploy.local.nats_keeper import keep_running
from deploy.local.nats_server import STOP_S as NATS_STOP_S
from deploy.local.nats_server import NatsServer, running
from deploy.local.ports import Ports, PortTaken

SERVICES = ("projector", "gateway", "planner", "executor", "scheduler")
API = "API"
FORKS = "fork server"
NATS = "nats"
LOOPBACK = "127.0.0.1"
API_PORT = 3000
NATS_PORT = 4222
"""Default port of NATS."""
METRICS_PORT = 9465
"""Default metrics port of the first service. The others use the next ports."""
CALL_MODELS = ("gateway", "planner", "executor")
SECRETS = {
    "OPENAI_API_KEY": CALL_MODELS,
    "OPENAI_BASE_URL": CALL_MODELS,
    "OPENROUTER_API_KEY": CALL_MODELS,
    "OPENROUTER_BASE_URL": CALL_MODELS,
    "OLLAMA_BASE_URL": CALL_MODELS,
    "SMTP_PASS": ("executor",),
    "WEBHOOK_SECRET": ("executor",),
    "SEARCH_PROXY": ("executor",),
}
"""Environment variables that only some services receive, also with the suffix `_FILE`."""
READY_S = 60.0
STOP_WITHIN_S = STOP_S + NATS_STOP_S
ASK_S = 0.05
UNHURRIED = (BUILDING, WAY_OUT)
"""Problems during which the start has no time limit: the system makes progress, or an operator must act."""
MAX_RESTARTS = 3
"""Number of starts before the system is ready, after which a service is considered broken."""


class NotStarted(UserError):
    """The system did not start. The message explains what to do."""


@dataclass(frozen=True)
class Options:
    """How to run a local system."""

    data: Path
    port: int | None = 0
    """Port of the API. 0: any free port. None: the port of the last start, or else the default if free."""
    host: str = "127.0.0.1"
    nats_url: str | None = None
    """URL of an existing NATS. None: start a nats-server."""
    nats_port: int | None = 0
    """Port of the started NATS, in the same form as `port`."""
    metrics_port: int | None = 0
    """Metrics port of the first service, in the same form as `port`. The others use the next ports."""
    durability: Durability = Durability.FSYNC
    env: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables of every service."""
    executors: int = 1
    public_url: str | None = None
    """Address of the API as others reach it. None: the address on this machine."""
    cwd: Path | None = None
    """Working directory of the services, where they read `.env`. Default: the current directory."""


def names(options: Options) -> list[str]:
    """Return the names of the processes of the services."""
    return [name for name, _ in _instances(options.executors)]


@dataclass
class LocalSystem:
    """A running system."""

    url: str
    """URL of the gateway."""
    nats_url: str
    """URL of NATS, for the user that may do everything."""
    nats: NatsServer | None
    forks: ForkServer
    programs: dict[str, Program] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    """URL of the metrics of each service."""
    ports: Ports = field(default_factory=lambda: Ports({}))
    """Ports of the parts, and the defaults that were in use."""

    async def ready(
        self, timeout_s: float = READY_S, tell: Callable[[str], None] = lambda _: None
    ) -> Readiness:
        """Wait until the system is ready, except for a missing LLM, and return its readiness.

        The time limit is suspended while the views are rebuilt, or while an operator must decide about the
        log. `tell` receives the reason for waiting.

        Raises:
            NotStarted: the system is not ready after `timeout_s` seconds, or a service keeps ending.
        """
        said = "nothing"
        starts = {name: child.starts for name, child in self.children.items()}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s) as limit, Client(self.url) as client:
                while True:
                    self._check_restarts(starts)
                    try:
                        readiness = await client.ready()
                    except ClientError as error:
                        said = str(error)
                    else:
                        if readiness.is_serving:
                            return readiness
                        before, said = said, "; ".join(readiness.problems.values())
                        if any(text in said for text in UNHURRIED):
                            limit.reschedule(asyncio.get_running_loop().time() + timeout_s)
                            if said != before:
                                tell(said)
                    await asyncio.sleep(ASK_S)
        raise NotStarted(f"not ready after {timeout_s:g} s: {said}")

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a service, or to `nats`. If it ends, it is restarted."""
        if name != NATS:
            self.children[name].kill(number)
        elif self.nats is not None and self.nats.pid is not None:
            os.kill(self.nats.pid, number)

    async def fork(self, name: str, on_line: OnLine) -> Forked:
        """Start the process of a service. If its side port was taken meanwhile, it gets another one.

        Raises:
            PortTaken: it was taken before the first start, and the user has chosen it.
        """
        before = self.ports.chosen[name]
        try:
            port = self.ports.replaced_if_taken(name, LOOPBACK)
        except PortTaken as taken:
            if not self.children[name].starts:
                raise
            port = before
            on_line(name, str(taken))
        if port != before:
            on_line(name, f"port {before} was taken by another program; metrics are on port {port} instead")
            self.serve_metrics(name, port)
        return await self.forks.fork(self.programs[name])

    def serve_metrics(self, name: str, port: int) -> None:
        """Set the side port of a service, which its next start uses."""
        program = self.programs[name]
        self.programs[name] = replace(program, env={**program.env, "METRICS_PORT": str(port)})
        self.metrics[name] = f"http://{LOOPBACK}:{port}/metrics"

    def _check_restarts(self, starts: Mapping[str, int]) -> None:
        for name, child in self.children.items():
            if child.starts - starts[name] >= MAX_RESTARTS:
                said = "\n".join(child.last_output)
                raise NotStarted(f"{name} keeps ending right after its start; its last output:\n{said}")


@asynccontextmanager
async def local_system(options: Options, on_line: OnLine) -> AsyncGenerator[LocalSystem]:
    """Start a system, wait until it is ready, and stop it at the end of the block.

    Raises:
        InUse: another system uses the data directory.
        NotStarted: the system did not become ready.
        ServerFailed: nats-server did not start.
    """
    async with AsyncExitStack() as stack:
        announce = stack.enter_context(claimed(options.data))
        ports = Ports(ports_of(options.data))
        nats = None if options.nats_url else await _own_nats(stack, options, ports, on_line)
        env = _without_secrets_of_others(FORKS, _inherited(options.env))
        forks = await stack.enter_async_context(fork_server(env))
        system = _assemble(options, nats, ports, forks, on_line)
        stack.push_async_callback(_stop_all, system.children)
        for child in system.children.values():
            await child.start()
        claim = Claim(pid=os.getpid(), nats_url=system.nats_url, ports=ports.chosen)
        announce(claim)
        await system.ready(tell=lambda text: on_line("gateway", f"waiting: {text}"))
        announce(claim.model_copy(update={"url": system.url, "ports": ports.chosen}))
        yield system


def private(directory: Path) -> dict[str, str]:
    """Return an environment that keeps all files of a system in `directory`. It overrides other settings."""
    views = directory.absolute() / "views.db"
    return {"ARTIFACTS_DIR": str(directory.absolute() / "artifacts"), "DATABASE_URL": f"{SQLITE}{views}"}


async def _own_nats(stack: AsyncExitStack, options: Options, ports: Ports, on_line: OnLine) -> NatsServer:
    tell = partial(on_line, NATS)
    nats = NatsServer(
        options.data.absolute() / NATS,
        port=ports.choose(NATS, LOOPBACK, options.nats_port, NATS_PORT),
        durability=options.durability,
        on_line=tell,
    )
    await stack.enter_async_context(running(nats))
    stack.push_async_callback(_cancelled, asyncio.create_task(keep_running(nats, tell)))
    async with connect(nats.url, name="up") as connection:
        await allow_batches(connection)
    return nats


def _assemble(
    options: Options, nats: NatsServer | None, ports: Ports, forks: ForkServer, on_line: OnLine
) -> LocalSystem:
    nats_url = options.nats_url or (nats.url if nats else "")
    port = ports.choose(API, options.host, options.port, API_PORT)
    url = f"http://{_reachable(options.host)}:{port}"
    system = LocalSystem(url, nats_url, nats, forks, ports=ports)
    for number, (name, service) in enumerate(_instances(options.executors)):
        wanted = options.metrics_port and options.metrics_port + number
        side = ports.choose(name, LOOPBACK, wanted, METRICS_PORT + number)
        own = {"PORT": str(port), "PUBLIC_URL": options.public_url or url}
        nats_of_service = nats.url_for(service) if nats else nats_url
        env = _inherited(_environment(options, nats_of_service, name) | own)
        env = _without_secrets_of_others(service, env)
        system.programs[name] = Program(service, env, options.cwd)
        system.serve_metrics(name, side)
        system.children[name] = Child(name, partial(system.fork, name, on_line), on_line)
    return system


def _instances(executors: int) -> Iterator[tuple[str, str]]:
    for service in SERVICES:
        yield service, service
    for n in range(2, executors + 1):
        yield f"executor-{n}", "executor"


def _environment(options: Options, nats_url: str, name: str) -> dict[str, str]:
    shared = options.nats_url is not None
    return {
        "NATS_URL": nats_url,
        "DURABILITY": options.durability,
        "DATA_DIR": str(options.data.absolute()),
        "HOST": options.host,
        "INSTANCE": f"{socket.gethostname()}-{name}" if shared else name,
        **options.env,
    }


def _without_secrets_of_others(service: str, env: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in env.items()
        if (secret := name.removesuffix("_FILE")) not in SECRETS or service in SECRETS[secret]
    }


def _inherited(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this process, updated with `extra`."""
    return {**os.environ, **extra}


def _reachable(host: str) -> str:
    match host:
        case "0.0.0.0":
            return "127.0.0.1"
        case "::":
            return "[::1]"
    return f"[{host}]" if ":" in host else host


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _stop_all(children: Mapping[str, Child]) -> None:
    await asyncio.gather(*(child.stop() for child in children.values()))
