"""Measures a rebuild of the views from the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain

from contracts.core.ids import new_id
from contracts.core.subjects import PROJECTED
from contracts.domain import run
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.runtime.stream import Origin, Stream
from deploy.bench import jobs
from deploy.bench.harness import Bench, Figures
from projector.database import remove

COMMITS = 100_000
STEPS = 10
WRITERS = 200


async def rebuild(bench: Bench) -> Figures:
    """Delete the views and kill the projector: time until it announces the last of 100,000 commits."""
    await fill(bench, COMMITS)
    target = await bench.log.last_seq()
    await projected(bench, target)
    begun = time.perf_counter()

    def lose_views() -> None:
        remove(bench.data / "views.db")
        bench.system.children["projector"].kill()

    await projected(bench, target, lose_views)
    seconds = time.perf_counter() - begun
    return {"commits": target, "rebuild_s": round(seconds, 2), "events_per_s": round(target / seconds, 1)}


async def fill(bench: Bench, commits: int) -> Sequence[str]:
    """Append runs until the log has at least `commits` commits. Returns their ids."""
    job = Job.model_validate(jobs.chain(STEPS))
    runs = iter(range(-(-max(0, commits - await bench.log.last_seq()) // (STEPS + 2))))

    async def write() -> Sequence[str]:
        return [await _history(bench, job) for _ in runs]

    return [*chain.from_iterable(await asyncio.gather(*(write() for _ in range(WRITERS))))]


async def _history(bench: Bench, job: Job) -> str:
    """Append one run as the gateway and an executor would. Returns its id.

    It is cancelled by its first commit, so that it is never pending and no executor takes it.
    """
    stream = Stream(bench.log, RUN, new_id("dag-exec_"), Origin("/gateway/bench"))
    now = datetime.now(UTC)
    wanted = run.Requested(dag_id="bench", original_request="benchmark", job=job)
    await stream.append([wanted, run.Cancelled(reason="only the benchmark continues it")])
    stream.origin = Origin("/executor/bench")
    events = run.start(RUN.fold([wanted]), "bench", now, run.RunPolicy(), llm=False)
    while events:
        await stream.append(events)
        done: list[run.Outcome] = [
            run.Success(run.StepCompleted(step=step, result={"padding": "x" * 280}))
            for step in stream.state.running
        ]
        events = run.settle(stream.state, done, now, run.RunPolicy()).events if done else []
    return stream.id


async def projected(bench: Bench, target: int, act: Callable[[], None] = lambda: None) -> None:
    """Call `act`, then wait until the projector announces `target` or more."""
    subscription = await bench.log.connection.nc.subscribe(PROJECTED)
    try:
        act()
        while True:
            message = await asyncio.wait_for(subscription.next_msg(timeout=120), 120)
            if int(message.data) >= target:
                return
    finally:
        await subscription.unsubscribe()
