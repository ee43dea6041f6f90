"""The main program of every service.

A service is a name, its settings, and a context manager that yields its workers. On SIGTERM or SIGINT the
workers are cancelled and have `grace_s` to finish, and the process exits with 0. If a worker ends by itself,
the process exits with 1.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from contracts.core.user_error import UserError
from contracts.runtime.process.logging import configure_logging
from contracts.runtime.process.loop import run_on_loop
from contracts.runtime.process.settings import Settings
from contracts.runtime.process.sidecar import CannotListen, Check, side_port
from contracts.settings.redactor import MIN_LENGTH, SECRETS
from contracts.settings.secret_files import InvalidSettings

S = TypeVar("S", bound=Settings)
Worker = Callable[[], Awaitable[None]]


@dataclass
class Running:
    """The parts of a started service."""

    workers: Sequence[Worker]
    """Functions that run until cancelled, and then finish work in progress."""
    checks: dict[str, Check] = field(default_factory=dict)
    """Readiness checks by name. Each returns None or a problem."""


@dataclass(frozen=True)
class Service(Generic[S]):
    """One kind of service process."""

    name: str
    settings: type[S]
    build: Callable[[S], AbstractAsyncContextManager[Running]]

    def main(self) -> None:
        """Run as the process's main program; does not return."""
        try:
            settings = self.settings()
        except InvalidSettings as error:
            sys.exit(f"{self.name}: the environment or .env is not valid:\n{error}")
        configure_logging(self.name, settings)
        sys.exit(run_on_loop(self.run(settings)))

    async def run(self, settings: S) -> int:
        """Serve until a signal or a failure. Returns the exit status of the process."""
        stop, started = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        serving = asyncio.create_task(self._serve(settings, started, stop))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not started.is_set():
            serving.cancel()
        return _exit_status(await asyncio.gather(serving, return_exceptions=True))

    async def _serve(self, settings: S, started: asyncio.Event, stop: asyncio.Event) -> None:
        async with self.build(settings) as running, side_port(settings, running.checks) as port:
            started.set()
            _tune_garbage_collector()
            _tell_unprotected()
            structlog.get_logger().info("ready", metrics_port=port)
            await _work(running.workers, stop, settings.grace_s)


async def _work(workers: Sequence[Worker], stop: asyncio.Event, grace_s: float) -> None:
    """Run until `stop` is set or a worker ends, then cancel all workers and wait for them."""
    tasks = [asyncio.ensure_future(worker()) for worker in workers]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    ended = [task for task in tasks if task.done()]
    stopping.cancel()
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=grace_s + 5)
    for task in ended:
        await task
        raise RuntimeError("a worker ended by itself")


def _tell_unprotected() -> None:
    if SECRETS.too_short:
        why = f"secrets of less than {MIN_LENGTH} characters are not redacted"
        structlog.get_logger().info(why, settings=sorted(SECRETS.too_short))


def _exit_status(results: Sequence[BaseException | None]) -> int:
    log = structlog.get_logger()
    for error in results:
        if isinstance(error, Exception):
            mendable = isinstance(error, (UserError, CannotListen, InvalidSettings))
            log.error("stopped", error=str(error), exc_info=None if mendable else error)
            return 1
    log.info("stopped")
    return 0


def _tune_garbage_collector() -> None:
    """Collect garbage rarely: objects of the start live as long as the process; messages form no cycles.

    With Python's defaults, a busy executor spends a tenth of its time in the garbage collector. The start
    itself leaves some 2,000 objects in cycles. They are kept, because to look for them takes 0.1 to 0.2 s.
    """
    gc.freeze()
    gc.enable()
    gc.set_threshold(100_000, 20, 50)
