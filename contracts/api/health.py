"""Health over HTTP."""

from __future__ import annotations

from typing import Literal

from contracts.api.fields import Absent, Row, Timestamp

BUILDING = "building the views"
"""Begins the problem of a system whose views are being made of the log; how far they are follows."""


class Alive(Row):
    """The process answers."""

    status: Literal["ok"] = "ok"
    timestamp: Timestamp


class Queue(Row):
    """Runs that wait and runs that go on."""

    size: int
    """Waiting."""
    pending: int
    """Running."""
    concurrency: int
    """Goal runs that go on at once."""
    is_paused: bool = False


class Scheduler(Row):
    """What executes runs."""

    active_schedules: int
    max_concurrency: int
    """Goal runs that go on at once: MAX_CONCURRENT_RUNS."""
    queue: Queue


class DagScheduler(Row):
    """The schedules of DAGs that fire."""

    active_schedules: int
    schedules: list[str]
    """Ids of the DAGs."""


class Readiness(Row):
    """Whether everything is there that requests need, and what is wrong."""

    status: Literal["ready", "not ready"]
    provider: str
    model: str
    scheduler: Scheduler
    dag_scheduler: DagScheduler
    database: str
    llm_provider: str
    nats: str
    projector_lag: int | None
    """Stream sequences that the views do not include yet; null when unknown."""
    executors: list[str]
    """Instances heard of in the last seconds."""
    llm: str
    """`ok`, or what to set. Jobs of tools only need none."""
    problems: dict[str, str]
    """What keeps it from being ready, and what to do."""
    error: Absent[str] = None
    """All problems in one text, where there are any."""
    timestamp: Timestamp

    @property
    def is_ready(self) -> bool:
        """Whether everything is there."""
        return self.status == "ready"

    @property
    def is_serving(self) -> bool:
        """Whether everything is there but, perhaps, an LLM."""
        return not self.problems.keys() - {"llm"}
