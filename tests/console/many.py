"""Many runs in a log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from contracts.core.commit import Commit
from contracts.core.event import Event
from contracts.core.ids import new_id
from contracts.domain import run
from contracts.domain.budget import Budget
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.runtime.log import Log
from tests import jobs

AT_ONCE = 100
SINCE = datetime.now(UTC) - timedelta(days=3)


async def write_runs(log: Log, request: str, number: int) -> None:
    """Append `number` executions that were cancelled at once, a second apart. No executor takes them.

    The requests are `request` and a number from 1.
    """
    job = jobs.job()
    for first in range(1, number + 1, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, number + 1))
        await asyncio.gather(*(_write(log, f"{request} {one}", job, one) for one in numbers))


async def write_events(log: Log, number: int) -> str:
    """Append one execution with `number` events, the last of which cancels it. Returns its id."""
    between = [run.BudgetSet(budget=Budget(steps=one)) for one in range(2, number)]
    return await _write(log, "Watch the swifts", jobs.job(), 0, *between)


async def _write(log: Log, request: str, job: Job, number: int, *between: Event) -> str:
    run_id = new_id("dag-exec_")
    events = (
        run.Requested(dag_id=new_id("dag_"), original_request=request, job=job),
        *between,
        run.Cancelled(reason="one of many"),
    )
    commit = Commit(
        id=new_id(),
        aggregate=RUN.name,
        aggregate_id=run_id,
        state=RUN.status(RUN.fold(events, RUN.initial)),
        version=1,
        time=SINCE + timedelta(seconds=number),
        source="/gateway/1",
        events=events,
        correlation_id=run_id,
    )
    await log.append(commit, after=0)
    return run_id
