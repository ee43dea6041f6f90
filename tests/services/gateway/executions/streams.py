"""An execution as it is written, commit by commit, and clients that watch it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.domain.run.steps import SYNTHESIS
from contracts.runtime.stream import Origin, Stream
from gateway.streams.feeds import Feeds
from tests import jobs
from tests.services.gateway.watching import Watcher, watching_path

if TYPE_CHECKING:
    from tests.services.conftest import Api

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STARTED = run.Started(executor="e", at=NOW, synthesis="merge")


def watching(
    api: Api, run_id: str = "e1", query: str = "", **headers: str
) -> AbstractAsyncContextManager[Watcher]:
    return watching_path(api, f"/api/v1/dag-executions/{run_id}/events{query}", **headers)


def job(count: int) -> Job:
    return jobs.job(*(jobs.task(f"{n:03}") for n in range(1, count + 1)))


def history(steps: int = 2, result: Any = None) -> list[Sequence[Event]]:
    """The commits of a run that fails once, is resumed, and completes; `result` is that of most steps."""
    commits: list[Sequence[Event]] = [
        [run.Requested(dag_id="d1", original_request="do it", job=job(steps))],
        [STARTED, run.StepsStarted(steps=("001",))],
        [run.StepFailed(step="001", attempt=1, error="no"), run.Suspended(reason="no")],
        [run.Resumed()],
        [STARTED, run.StepsStarted(steps=("001",))],
    ]
    for n in range(1, steps):
        done = run.StepCompleted(step=f"{n:03}", result=result or {"n": n}, duration_ms=n)
        commits.append([done, run.StepsStarted(steps=(f"{n + 1:03}",))])
    last = run.StepCompleted(step=f"{steps:03}", result="done")
    report = run.StepCompleted(step=SYNTHESIS, result="the report")
    commits.append([last, report, run.Completed(completed_steps=steps, duration_ms=9)])
    return commits


async def write(api: Api, *events: Event, run_id: str = "e1") -> int:
    """One commit, without waiting for the views."""
    stream = await Stream.open(api.log, RUN, run_id, Origin("/test/1"))
    return await stream.append(events)


async def write_all(api: Api, commits: Sequence[Sequence[Event]]) -> list[int]:
    return [await write(api, *events) for events in commits]


def beat_fast(api: Api, live: Any = None) -> None:
    gateway = api.gateway
    gateway.feeds = Feeds(gateway.hub, gateway.log, gateway.blobs, gateway.clock, live, heartbeat_s=0.01)


class Microphone:
    """Stands for core NATS."""

    def __init__(self) -> None:
        self.listeners: dict[str, Callable[[bytes], None]] = {}

    @asynccontextmanager
    async def listening(self, run_id: str, listener: Callable[[bytes], None]) -> AsyncGenerator[None]:
        self.listeners[run_id] = listener
        try:
            yield
        finally:
            del self.listeners[run_id]
