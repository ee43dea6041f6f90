"""The scheduler as a service."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from contracts.domain.registry import CODEC
from contracts.runtime.nats_log import nats_log
from contracts.runtime.process.service import Running, Service
from contracts.runtime.process.sidecar import Check
from scheduler.clock import WallClock
from scheduler.expiries import Expiries
from scheduler.scheduler import Scheduler
from scheduler.settings import SchedulerSettings
from scheduler.snapshot import snapshot_of

NAME = "scheduler"


@asynccontextmanager
async def build(settings: SchedulerSettings) -> AsyncGenerator[Running]:
    """Start a scheduler with the NATS server in `settings`."""
    async with nats_log(settings, CODEC, name=NAME) as log:
        source = f"/{NAME}/{settings.instance}"
        scheduler = Scheduler(
            log, source, WallClock(), catch_up=settings.catch_up, defaults=settings.defaults
        )
        expiries = Expiries(log, source, WallClock())
        checks: dict[str, Check] = {"nats": log.problem, "schedules": scheduler.problem}
        snapshot = snapshot_of(log, settings.data_dir / f"{NAME}.snapshot", scheduler, expiries)
        await snapshot.restore()
        workers = [
            log.connection.watch,
            scheduler.follow,
            scheduler.run,
            expiries.follow,
            expiries.run,
            snapshot.run,
        ]
        yield Running(workers, checks)
        await snapshot.close()


SERVICE = Service(NAME, SchedulerSettings, build)
