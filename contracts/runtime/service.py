"""The main loop of every service: a value in, a process out.

A service is a name, its settings and a context manager that yields the workers which must stay alive. SIGTERM
or SIGINT ends the process with 0 after the workers had their grace; a worker that dies takes it down with 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog
from pydantic import ValidationError

from contracts.runtime.logging import configure_logging
from contracts.runtime.settings import Settings
from contracts.runtime.sidecar import Check, side_port

S = TypeVar("S", bound=Settings)
Worker = Callable[[], Awaitable[None]]


@dataclass
class Running:
    """What a started service consists of."""

    workers: Sequence[Worker]
    """Each runs until cancelled; on cancellation it drains."""
    checks: dict[str, Check] = field(default_factory=dict)
    """Readiness: name to a function that gives None, or what is wrong."""


@dataclass(frozen=True)
class Service(Generic[S]):
    """One kind of process."""

    name: str
    settings: type[S]
    build: Callable[[S], AbstractAsyncContextManager[Running]]

    def main(self) -> None:
        """Run as the process's main program; does not return."""
        try:
            settings = self.settings()
        except ValidationError as error:
            sys.exit(f"{self.name}: the environment or .env is not valid:\n{error}")
        configure_logging(self.name, settings)
        sys.exit(_event_loop_runner(self.run(settings)))

    async def run(self, settings: S) -> int:
        """Serve until a signal or a failure; the process's exit status."""
        log = structlog.get_logger()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        try:
            async with self.build(settings) as running, side_port(settings, running.checks) as port:
                _spare_the_collector()
                log.info("ready", metrics_port=port)
                await self._serve(running, stop, settings.grace_s)
        except Exception as error:
            mendable = isinstance(error, (UserError, ValidationError))
            log.error("stopped", error=str(error), exc_info=not mendable)
            return 1
        log.info("stopped")
        return 0

    async def _serve(self, running: Running, stop: asyncio.Event, grace_s: float) -> None:
        workers = [asyncio.ensure_future(worker()) for worker in running.workers]
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, *workers], return_when=asyncio.FIRST_COMPLETED)
        ended = [worker for worker in workers if worker.done()]
        stopping.cancel()
        for worker in workers:
            worker.cancel()
        if workers:
            await asyncio.wait(workers, timeout=grace_s + 5)
        for worker in ended:
            await worker
            raise RuntimeError("a worker ended by itself")


class UserError(Exception):
    """The operator can mend it; the message says how, and a stack trace would only hide that."""


def _spare_the_collector() -> None:
    """Everything built so far lives as long as the process, and messages leave no cycles: look seldom.

    With Python's defaults a tenth of a busy executor's time is spent looking for garbage there is none of.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _event_loop_runner(main: Awaitable[int]) -> int:
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415  not available on every platform

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_as_coroutine(main))
    return asyncio.run(_as_coroutine(main))


async def _as_coroutine(main: Awaitable[int]) -> int:
    return await main
