"""Threads for calls that block: each kind of work has its own, so that none waits behind another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """At most `count` threads, started as they are needed."""

    def __init__(self, name: str, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` gives. Cancelling only stops waiting for it."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))


FILES = Threads("files", 16)
NAMES = Threads("names", 16)
"""Name resolution: a name server that does not answer holds a thread for half a minute."""
SEARCHES = Threads("searches", 16)
