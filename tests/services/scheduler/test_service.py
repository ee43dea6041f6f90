"""The scheduler as its process runs it, on a real NATS and by the real clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.commit import all_events
from contracts.core.subjects import state_filter
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.domain.registry import CODEC
from contracts.domain.schedule.schedule import Overlap, Schedule
from contracts.domain.schedule.ticks import Ticked
from contracts.runtime.log import Log
from contracts.runtime.nats_log import nats_log
from contracts.runtime.process.service import Running
from contracts.runtime.snapshot_file import read
from contracts.runtime.stream import Origin, Stream
from scheduler.service import build
from scheduler.settings import SchedulerSettings
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.services.scheduler.conftest import World

pytestmark = pytest.mark.nats

ORIGIN = Origin("/gateway/1")


@asynccontextmanager
async def running(settings: SchedulerSettings) -> AsyncGenerator[Running]:
    """A scheduler process, its workers stopped as on SIGTERM."""
    async with build(settings) as scheduler:
        workers = [asyncio.ensure_future(worker()) for worker in scheduler.workers]
        yield scheduler
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)


async def ticked(log: Log, count: int) -> list[Ticked]:
    """The first `count` ticks recorded, as soon as they are."""
    ticks: list[Ticked] = []
    async with asyncio.timeout(WAIT_S):
        async for batch in log.tail(state_filter("schedule")):
            ticks += [event for event in all_events(r.commit for r in batch) if isinstance(event, Ticked)]
            if len(ticks) >= count:
                return ticks
    raise AssertionError


async def fired_by(log: Log, *schedules: str, after: int = 0) -> None:
    """Return when each of these schedules has fired in a commit above `after`."""
    missing = set(schedules)
    async with asyncio.timeout(WAIT_S):
        async for batch in log.tail(state_filter("schedule", "fired"), after=after):
            missing -= {one.commit.aggregate_id for one in batch}
            if not missing:
                return


async def test_two_processes_decide_each_second_once(world: World, nats_url: str, tmp_path: Path) -> None:
    common: dict[str, Any] = {"_env_file": None, "nats_url": nats_url, "data_dir": tmp_path}
    first, second = (SchedulerSettings(**common, instance=name) for name in "ab")
    async with nats_log(first, CODEC, name="test") as log:
        stream = await Stream.open(log, DAG, "d", ORIGIN)
        await stream.append([dag.Imported(job=Job.model_validate(world.job))])
        async with running(first) as one_process, running(second):
            await stream.append(
                [dag.ScheduleSet(schedule=Schedule(cron="* * * * * *", overlap=Overlap.ALLOW))]
            )
            ticks = await ticked(log, 3)
            assert [await check() for check in one_process.checks.values()] == [None, None]
        assert {(later.tick - tick.tick).total_seconds() for tick, later in pairwise(ticks)} == {1}
        fired = [one.run_id for one in ticks if one.run_id]
        assert fired
        for run_id in fired:
            assert [one.commit.state for one in await log.read("run", run_id)] == ["pending"]


async def test_a_scheduler_continues_from_its_snapshot(
    world: World, nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fires schedules of before and after the snapshot, and the same when the file is damaged."""
    monkeypatch.setattr("contracts.runtime.snapshot.COMMITS", 1)
    settings = SchedulerSettings(_env_file=None, nats_url=nats_url, data_dir=tmp_path)
    path = tmp_path / "scheduler.snapshot"
    every_second = dag.ScheduleSet(schedule=Schedule(cron="* * * * * *", overlap=Overlap.ALLOW))
    imported = dag.Imported(job=Job.model_validate(world.job))
    async with nats_log(settings, CODEC, name="test") as log:
        await Stream(log, DAG, "earlier", ORIGIN).append([imported, every_second])
        async with running(settings):
            await fired_by(log, "earlier")
        header, _ = read(path)
        later = await Stream(log, DAG, "later", ORIGIN).append([imported, every_second])
        assert all(seq < later for seq in header.included.values())
        async with running(settings):
            await fired_by(log, "earlier", "later", after=later)
        path.write_bytes(path.read_bytes()[:-1])
        async with running(settings):
            await fired_by(log, "earlier", "later", after=await log.last_seq())
        assert read(path)
