"""A pool of processes that parse documents. A process that uses too much time or memory is killed.

A malicious HTML or PDF file can keep a parser busy for minutes, and a thread cannot be stopped.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from multiprocessing.context import ForkServerContext
from typing import ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from contracts.core.outcome import Reject

P = ParamSpec("P")
T = TypeVar("T")

PROCESSES = max(2, min(4, os.cpu_count() or 2))
TIME_S = 30.0
"""Maximum seconds for one document, from the start of parsing."""
MEMORY = 1024 * 1024 * 1024
"""Maximum bytes that one process may allocate."""
DOCUMENTS_PER_PROCESS = 500
"""Documents after which a process is replaced, because parsers leak memory."""

PRELOADED = ["__main__", "executor.tools.documents", "pypdf", "trafilatura"]
"""Modules that every process needs. To import them takes a second, and killed processes are replaced."""


class Parsers:
    """A pool of processes, started on first use. Close it to stop the processes."""

    def __init__(self, *, time_s: float = TIME_S, memory: int = MEMORY) -> None:
        self._time_s = time_s
        self._memory = memory

    async def __aenter__(self) -> Parsers:
        return self

    async def __aexit__(self, *_: object) -> None:
        if "_pool" in self.__dict__:
            self._pool.stop()  # type: ignore[no-untyped-call]
            await asyncio.to_thread(self._pool.join)

    async def run(self, parse: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `parse`, a module-level function, in one of the processes. Cancelling kills the process.

        Raises:
            Reject: `parse` took too long or ended its process. Exceptions of `parse` are raised, too.
        """
        job = self._pool.schedule(parse, args=args, kwargs=kwargs, timeout=self._time_s)
        try:
            result: T = await asyncio.wrap_future(job)
        except TimeoutError as error:
            raise Reject(f"Reading the document takes more than {self._time_s:g} s") from error
        except MemoryError as error:
            raise Reject("Reading the document takes too much memory") from error
        except ProcessExpired as error:
            raise Reject(f"Reading the document crashed the parser process ({error.exitcode})") from error
        return result

    @cached_property
    def _pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=PROCESSES,
            max_tasks=DOCUMENTS_PER_PROCESS,
            initializer=_begin,
            initargs=(self._memory,),
            context=_forking(),
        )


def _forking() -> ForkServerContext:
    """Return a context in which processes are forked from one that has imported what they need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _begin(memory: int) -> None:
    """Initialises a process of the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops the main process, which stops this one
    with suppress(ValueError, OSError):  # not every system limits this
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
