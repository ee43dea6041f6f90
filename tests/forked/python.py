"""Python programs that start at once: they are forked from a process that has imported what they need.

An interpreter of its own takes more than a second of CPU for the imports of a service or a command.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.fork_server import SHARED
from tests.forked.relay import Request, start

SERVER = Path(__file__).with_name("server.py")
RELAY = Path(__file__).with_name("relay.py")

SERVICES = (
    *SHARED,
    "contracts.client",
    "contracts.core.foreign_schema",
    "contracts.openapi.operation",
    "contracts.views",
    "croniter",
    "deploy.local.lifeline",
    "filetype",
    "joserfc.jwk",
    "joserfc.jwt",
    "openai",
    "pebble",
    "sqlalchemy.dialects.sqlite.aiosqlite",
)
"""As SHARED, none of them defines a metric: all services would show it."""
COMMANDS = (*SERVICES, "deploy.cli.resources.command", "deploy.cli.up", "deploy.cli.watch.follow")
"""Those of commands that start systems are among them."""
MCP_SERVERS = ("mcp.server", "mcp.server.mcpserver.resolve")
WORKERS = (
    *COMMANDS,
    *MCP_SERVERS,
    "deploy.cli.main",
    "executor.service",
    "gateway.service",
    "hypothesis.stateful",
    "mcp.client",
    "openapi_spec_validator",
    "planner.service",
    "playwright.async_api",
    "projector.service",
    "pytest",
    "scheduler.service",
    "schemathesis",
)
"""Those of tests. Plugins of pytest are not among them: pytest would warn that it cannot rewrite them."""


class ForkedPython:
    """Interpreters that need not import anything. Several processes may use the same `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._socket = str(directory / "socket")

    def with_imports(self, *modules: str, executable: str = "") -> str:
        """Return the path of an executable that is used like `sys.executable`. It has imported `modules`.

        Programs that it runs take it for their `sys.executable`, too, unless that is to be `executable`.
        """
        number, file = tempfile.mkstemp(prefix="python-", dir=self.directory)
        words = [sys.executable, "-IS", str(RELAY), self._socket, ",".join(modules), executable or file]
        with os.fdopen(number, "w") as script:
            script.write(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        Path(file).chmod(0o700)
        return file

    async def run(
        self,
        argv: Sequence[str],
        imports: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        outputs: tuple[Path, Path],
    ) -> int:
        """Run a program, write what it prints to two files, and return its exit status."""
        executable = self.with_imports(*imports)
        request = Request(imports=imports, argv=argv, env=dict(env), cwd=str(cwd), executable=executable)
        with self._start(request, outputs) as program:
            program.setblocking(False)
            return int(await asyncio.get_running_loop().sock_recv(program, 16))

    def _start(self, request: Request, outputs: tuple[Path, Path]) -> socket.socket:
        with (
            Path(os.devnull).open() as stdin,
            outputs[0].open("w") as stdout,
            outputs[1].open("w") as stderr,
        ):
            return start(self._socket, request, [stdin.fileno(), stdout.fileno(), stderr.fileno()])


@contextmanager
def forking(executable: str = sys.executable) -> Generator[ForkedPython]:
    """Start the process that forks, by an `executable` that may be forked itself."""
    with tempfile.TemporaryDirectory(prefix="forked-") as directory:
        python = ForkedPython(Path(directory))
        server = subprocess.Popen(
            [executable, "-P", str(SERVER), f"{directory}/socket"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with server:
            assert server.stdin
            assert server.stdout
            server.stdout.readline()
            yield python
            server.stdin.close()
