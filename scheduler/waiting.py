"""Waits for the end of runs, for schedules with a queued tick."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from contracts.runtime.log import Log
from scheduler.runs import IN_PROGRESS, Runs


class Waiting:
    """Calls `ended` with the id of a schedule when its run has ended. Follows only the awaited runs."""

    def __init__(self, log: Log, ended: Callable[[str], None]) -> None:
        self._log = log
        self._ended = ended
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def wait(self, schedule_id: str, run_id: str) -> None:
        """Call `ended` with `schedule_id` once, when the run has ended."""
        if schedule_id not in self._tasks:
            self._tasks[schedule_id] = asyncio.create_task(self._wait_for_end(schedule_id, run_id))

    async def aclose(self) -> None:
        """Cancel all waits."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _wait_for_end(self, schedule_id: str, run_id: str) -> None:
        try:
            async with aclosing(self._log.tail(*Runs.filters(run_id))) as batches:
                async for batch in batches:
                    states = [one.commit.state for one in batch if one.commit.events]
                    if states and states[-1] not in IN_PROGRESS:
                        break
        finally:
            del self._tasks[schedule_id]
        self._ended(schedule_id)
