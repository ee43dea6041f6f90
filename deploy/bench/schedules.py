"""Measures how late runs are requested when many schedules are due at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from contracts.core.commit import Commit
from contracts.core.subjects import state_filter
from deploy.bench.harness import Bench, Figures, WorkloadFailed, percentiles
from deploy.bench.jobs import single
from deploy.bench.keep_alive import keep_alive

SCHEDULES = 1000
SCHEDULE = {"cronSchedule": "* * * * *", "scheduleActive": True}
IN_FLIGHT = 20
TICKS = 2
"""Number of ticks that are measured. At the second one each schedule has an earlier run to look at."""
LONGEST_S = 60.0 * (TICKS + 2)


async def schedules(bench: Bench) -> Figures:
    """1,000 plans of one step, all due each minute: how late each run is requested, for two minutes."""
    late: dict[datetime, list[float]] = {}
    async with aclosing(_requests(bench)) as requests:
        await _schedule_all(bench)
        try:
            async with asyncio.timeout(LONGEST_S):
                async for commit in requests:
                    tick = commit.time.replace(second=0, microsecond=0)
                    late.setdefault(tick, []).append((commit.time - tick) / timedelta(milliseconds=1))
                    if len(_whole(late)) == TICKS:
                        break
        except TimeoutError:
            counts = {f"{tick:%H:%M}": len(times) for tick, times in late.items()}
            raise WorkloadFailed(f"not all of {SCHEDULES} schedules fired each minute: {counts}") from None
    figures = percentiles([one for times in _whole(late) for one in times])
    return {f"late_{name}": value for name, value in figures.items()}


def _whole(late: Mapping[datetime, Sequence[float]]) -> Sequence[Sequence[float]]:
    """The ticks at which all schedules have fired."""
    return [times for times in late.values() if len(times) == SCHEDULES]


async def _schedule_all(bench: Bench) -> None:
    places = asyncio.Semaphore(IN_FLIGHT)

    async def stored() -> str:
        async with places:
            return await bench.plan(single("benchNoop"))

    dag_ids = await asyncio.gather(*(stored() for _ in range(SCHEDULES)))
    async with keep_alive(bench.system.url) as client:
        for dag_id in dag_ids:
            status, answer = await client.patch(f"/api/v1/dags/{dag_id}", SCHEDULE)
            if status >= 300:
                raise WorkloadFailed(f"PATCH of a DAG: {status} {answer.decode()}")


async def _requests(bench: Bench) -> AsyncGenerator[Commit]:
    """The commits of the scheduler that request runs."""
    pending = state_filter("run", "pending")
    async for batch in bench.log.tail(pending, after=await bench.log.last_seq()):
        for recorded in batch:
            if recorded.commit.source.startswith("/scheduler/"):
                yield recorded.commit
