"""A supervised child process: its output is passed on, and it is restarted with backoff if it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from deploy.local.starting import start_in_full


class Process(Protocol):
    """What is used of an `asyncio.subprocess.Process`."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    @property
    def stdout(self) -> asyncio.StreamReader | None: ...
    async def wait(self) -> int: ...
    def send_signal(self, number: signal.Signals, /) -> None: ...


Spawn = Callable[[], Awaitable[Process]]
"""Starts a process whose `stdout` is a pipe with all of its output."""

OnLine = Callable[[str, str], None]
"""Receives the name of a process and a line of its output."""

STOP_S = 20.0
DRAIN_OUTPUT_S = 1.0
READ_BYTES = 1 << 16
LINE_BYTES = 1 << 20
"""Maximum length of a line. Longer lines are split."""
REMEMBERED_LINES = 15


class Backoff:
    """Pauses between starts. They double until a process has run long enough."""

    FIRST_S = 0.01
    LONGEST_S = 10.0
    HEALTHY_S = 3.0

    def __init__(self) -> None:
        self._next = self.FIRST_S

    def after(self, lived_s: float) -> float:
        """Return the seconds to wait after a process that ran for `lived_s` seconds."""
        pause = self.FIRST_S if lived_s > self.HEALTHY_S else self._next
        self._next = min(pause * 2, self.LONGEST_S)
        return pause


class Child:
    """One supervised process."""

    def __init__(
        self,
        name: str,
        spawn: Spawn,
        on_line: OnLine,
    ) -> None:
        self.name = name
        self.starts = 0
        self.last_output: tuple[str, ...] = ()
        """Last output lines of the previous process."""
        self._spawn = spawn
        self._on_line = on_line
        self._newest: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, or None if no process is running."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the process and keep it running."""
        await self._start_process()
        self._keeper = asyncio.create_task(self._supervise())

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal. If the process ends, it is restarted."""
        if self._process and self._process.returncode is None:
            self._process.send_signal(number)

    async def stop(self) -> None:
        """Stop the process. It is killed if it does not end within STOP_S seconds."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        if self._process is None:
            return
        self.kill(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        self.kill()
        status = await self._process.wait()
        await self._drain_output()
        if status:
            self._on_line(self.name, f"ended with {describe_status(status)}")

    async def _supervise(self) -> None:
        backoff = Backoff()
        while self._process:
            since = time.monotonic()
            status = await self._process.wait()
            await self._drain_output()
            pause = backoff.after(time.monotonic() - since)
            self._on_line(
                self.name, f"ended with {describe_status(status)}; starting it again in {pause:g} s"
            )
            await asyncio.sleep(pause)
            await self._start_process()

    async def _start_process(self) -> None:
        await start_in_full(self._spawn(), self._started)

    def _started(self, process: Process) -> None:
        self._process = process
        self.starts += 1
        self._reader = asyncio.create_task(self._forward_output(process))

    async def _drain_output(self) -> None:
        """Read the remaining output of an ended process, unless one of its children keeps the pipe open."""
        if self._reader:
            await asyncio.wait([self._reader], timeout=DRAIN_OUTPUT_S)
            self._reader.cancel()
        self.last_output = tuple(self._newest)
        self._newest.clear()

    async def _forward_output(self, process: Process) -> None:
        """Pass output on without a pause, because a full pipe would block the process."""
        assert process.stdout is not None  # it is a pipe
        rest = b""
        while piece := await process.stdout.read(READ_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._line(line)
        if rest:
            self._line(rest)

    def _line(self, raw: bytes) -> None:
        line = raw.decode(errors="replace").rstrip()
        self._newest.append(line)
        self._on_line(self.name, line)


def describe_status(status: int) -> str:
    """Format an exit status as `status 1`, or as `SIGKILL` if a signal ended the process."""
    return signal.Signals(-status).name if status < 0 else f"status {status}"
