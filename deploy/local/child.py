"""A service as a child process: its lines passed on, started again with backoff when it ends by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.local.lifeline import end_with_parent

OnLine = Callable[[str, str], None]
"""Takes the name of a process and one line it wrote."""

STOP_S = 20.0
HEAR_OUT_S = 1.0
READ_BYTES = 1 << 16
LINE_BYTES = 1 << 20
"""A longer line is cut in two."""
REMEMBERED_LINES = 15


class Backoff:
    """Pauses between starts: doubling, until a process has lived long enough to count as well."""

    FIRST_S = 0.01
    LONGEST_S = 10.0
    HEALTHY_S = 3.0

    def __init__(self) -> None:
        self._next = self.FIRST_S

    def after(self, lived_s: float) -> float:
        """Seconds to wait after a process that lived for `lived_s`."""
        pause = self.FIRST_S if lived_s > self.HEALTHY_S else self._next
        self._next = min(pause * 2, self.LONGEST_S)
        return pause


class Child:
    """One supervised process."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        on_line: OnLine,
        *,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.argv = argv
        self.env = env
        self.cwd = cwd
        self.starts = 0
        self.last_words: tuple[str, ...] = ()
        """The last lines of the process that ended last."""
        self._on_line = on_line
        self._newest: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the running process, None while there is none."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it and keep it running from now on."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; the process is started again when it ends."""
        if self._process and self._process.returncode is None:
            self._process.send_signal(number)

    async def stop(self) -> None:
        """End it in good order, by force if it takes longer than STOP_S."""
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
        await self._hear_out()
        if status:
            self._on_line(self.name, f"ended with {describe_status(status)}")

    async def _keep(self) -> None:
        backoff = Backoff()
        while self._process:
            since = time.monotonic()
            status = await self._process.wait()
            await self._hear_out()
            pause = backoff.after(time.monotonic() - since)
            self._on_line(
                self.name, f"ended with {describe_status(status)}; starting it again in {pause:g} s"
            )
            await asyncio.sleep(pause)
            await self._spawn()

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self.argv, env=self.env, cwd=self.cwd, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT,
            start_new_session=True, preexec_fn=end_with_parent,
        )  # fmt: skip
        self.starts += 1
        self._reader = asyncio.create_task(self._pass_on(self._process))

    async def _hear_out(self) -> None:
        """Read what a process that has ended left in its pipe, unless a child of its own keeps that open."""
        if self._reader:
            await asyncio.wait([self._reader], timeout=HEAR_OUT_S)
            self._reader.cancel()
        self.last_words = tuple(self._newest)
        self._newest.clear()

    async def _pass_on(self, process: Process) -> None:
        """Always read on: a process whose pipe is full would stand still."""
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
    """`status 1`, or `SIGKILL` for a process that a signal ended."""
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def python_module(module: str, *args: str) -> list[str]:
    """Command line that runs an installed `module`, never a file of that name in the current folder."""
    return [sys.executable, "-P", "-m", module, *args]


def inherited(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with `extra` on top."""
    return {**os.environ, **extra}
