"""A pool of processes that parse documents. One that takes too long or too much memory is killed.

A crafted HTML or PDF file can keep a parser busy for minutes, and a thread cannot be stopped.
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
from typing import ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from contracts.core.outcome import Reject

P = ParamSpec("P")
T = TypeVar("T")

PROCESSES = max(2, min(4, os.cpu_count() or 2))
TIME_S = 30.0
"""Of one document, from when a process begins with it."""
MEMORY = 1024 * 1024 * 1024
"""Bytes that one process may allocate."""
DOCUMENTS_PER_PROCESS = 500
"""Then it is replaced, because parsers leak."""


class Parsers:
    """A pool of processes, started when it is first needed. Close it, or they stay."""

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
        """What `parse`, a function of a module, gives in one of the processes; when cancelled, it is killed.

        Raises:
            Reject: it took too long, or it took its process down. What `parse` raises is raised, too.
        """
        job = self._pool.schedule(parse, args=args, kwargs=kwargs, timeout=self._time_s)
        try:
            result: T = await asyncio.wrap_future(job)
        except TimeoutError as error:
            raise Reject(f"It takes more than {self._time_s:g} s to read") from error
        except MemoryError as error:
            raise Reject("It takes too much memory to read") from error
        except ProcessExpired as error:
            raise Reject(f"Reading it ended the process that did ({error.exitcode})") from error
        return result

    @cached_property
    def _pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=PROCESSES,
            max_tasks=DOCUMENTS_PER_PROCESS,
            initializer=_begin,
            initargs=(self._memory,),
            context=multiprocessing.get_context("spawn"),
        )


def _begin(memory: int) -> None:
    """The first thing that a process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that this one works for
    with suppress(ValueError, OSError):  # not every system limits this
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
