"""Starts services through a fork server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.fork_server import Request

FORK_ON_MACOS = {"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"}
"""Without it, macOS ends forked processes that use its frameworks."""


@dataclass(frozen=True)
class Program:
    """A service in a process of its own."""

    service: str
    env: Mapping[str, str]
    """All environment variables of the process."""
    cwd: Path | None = None


class Forked:
    """A process that a fork server starts; used like an `asyncio.subprocess.Process`."""

    def __init__(self, stdout: asyncio.StreamReader) -> None:
        self.pid = 0
        """Process id. 0: not started yet."""
        self.stdout = stdout
        self.started = asyncio.Event()
        """Set when the process has started, or when it cannot start any more."""
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        """The exit status, negative if a signal ended the process; None while it runs."""
        return self._status.result() if self._status.done() else None

    async def wait(self) -> int:
        """Wait for the end of the process, and return its exit status."""
        return await asyncio.shield(self._status)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.pid and self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def start(self, pid: int) -> None:
        """Record the start of the process."""
        self.pid = pid
        self.started.set()

    def end(self, status: int) -> None:
        """Record the end of the process."""
        self._status.set_result(status)
        self.started.set()


class ForkServer:
    """A fork server. If it is killed, its services get SIGTERM, and the next fork starts another server."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._one_request = asyncio.Lock()
        self._server: _Server | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the server; None: not started."""
        return self._server.process.pid if self._server else None

    async def fork(self, program: Program) -> Forked:
        """Start a process."""
        async with self._one_request:
            if self._server is None or self._server.process.returncode is not None:
                await self.stop()
                self._server = await _Server.start(self._env)
            return await self._server.fork(program)

    async def stop(self) -> None:
        """Stop the fork server. Stop its services before."""
        if self._server:
            await self._server.stop()
            self._server = None


@asynccontextmanager
async def fork_server(env: Mapping[str, str]) -> AsyncGenerator[ForkServer]:
    """A fork server with the environment `env`, which it needs to import modules; it holds no secrets."""
    server = ForkServer(env)
    try:
        yield server
    finally:
        await server.stop()


class _Server:
    """The process of a fork server. It answers requests one by one."""

    def __init__(self, process: Process, requests: socket.socket) -> None:
        self.process = process
        self._requests = requests
        self._requested: Forked | None = None
        self._running: dict[int, Forked] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, env: Mapping[str, str]) -> _Server:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *python_module("deploy.local.fork_server"), env={**env, **FORK_ON_MACOS},
                stdin=theirs.fileno(), stdout=PIPE, start_new_session=True,
            )  # fmt: skip
        return cls(process, ours)

    async def fork(self, program: Program) -> Forked:
        stdout, output = await _pipe()
        environment, their_end = socket.socketpair()
        self._requested = forked = Forked(stdout)
        request = Request(service=program.service, cwd=str(program.cwd) if program.cwd else None)
        with environment, contextlib.suppress(OSError):  # the fork server has ended; `_read` says so
            try:
                line = json.dumps(request).encode() + b"\n"
                socket.send_fds(self._requests, [line], [their_end.fileno(), output])
            finally:
                their_end.close()
                os.close(output)
            environment.setblocking(False)
            variables = json.dumps(dict(program.env)).encode()
            await asyncio.get_running_loop().sock_sendall(environment, variables)
        if self._reading.done() and forked.returncode is None:
            forked.end(-signal.SIGTERM)
        await forked.started.wait()
        return forked

    async def stop(self) -> None:
        self._requests.close()
        await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        """Record starts and ends until the fork server ends. Then end what it has started."""
        assert self.process.stdout is not None  # it is a pipe
        while line := await self.process.stdout.readline():
            answer = json.loads(line)
            pid: int = answer["pid"]
            if "status" in answer:
                self._running.pop(pid).end(answer["status"])
            elif self._requested:
                self._running[pid] = self._requested
                self._requested.start(pid)
                self._requested = None
        for forked in self._running.values():
            forked.send_signal(signal.SIGTERM)
            forked.end(-signal.SIGTERM)
        if self._requested:
            self._requested.end(-signal.SIGTERM)


async def _pipe() -> tuple[asyncio.StreamReader, int]:
    """Return a reader, and the file descriptor that one writes to."""
    reading, writing = os.pipe()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: _Output(reader), os.fdopen(reading, "rb"))
    return reader, writing


class _Output(asyncio.StreamReaderProtocol):
    """Closes the pipe when all of it was read. uvloop keeps it open otherwise."""

    def eof_received(self) -> bool:
        super().eof_received()
        return False


def python_module(module: str) -> list[str]:
    """Return a command line that runs an installed `module`, never a file of the current directory."""
    return [sys.executable, "-P", "-m", module]
