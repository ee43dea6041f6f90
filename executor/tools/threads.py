"""Threads for blocking calls. Each kind of work has its own threads, so no kind delays another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """At most `count` threads, started on demand."""

    def __init__(self, name: str, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a thread and return its result. Cancelling does not stop `work`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))


FILES = Threads("files", 16)
NAMES = Threads("names", 16)
"""Threads for name resolution: a name server that does not answer blocks a thread for half a minute."""
SEARCHES = Threads("searches", 16)
